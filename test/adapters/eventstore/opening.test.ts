import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { refusalOf } from '../../../src/adapters/eventstore/diagnosis.ts';
import { SystemUnusable } from '../../../src/errors.ts';
import { aCertificate } from '../../certificate.ts';
import { anEvent, collect } from '../../contract/log.ts';
import { createEventStoreCluster } from '../../eventstore-double/cluster.ts';
import { SERVER_VERSION } from '../../eventstore-double/discovery.ts';
import { createEventStoreDouble, type DoubleOptions, type EventStoreDouble } from '../../eventstore-double/double.ts';
import { eventually } from '../../eventually.ts';
import { failureOf } from '../../failure-of.ts';
import { createLogs, listeningLogger, PATIENT } from './fixture.ts';

describe('opening the log in EventStoreDB', () => {
  const logs = createLogs();
  const doubles: EventStoreDouble[] = [];
  let folder: string;
  let authority: string;
  let tls: Awaited<ReturnType<typeof aCertificate>>;

  before(async () => {
    tls = await aCertificate();
    folder = await mkdtemp(join(tmpdir(), 'budapp-eventstore-'));
    authority = join(folder, 'ca.pem');
    await writeFile(authority, tls.certificate);
  });
  after(() => rm(folder, { recursive: true, force: true }));
  afterEach(async () => {
    await logs.close();
    await Promise.all(doubles.splice(0).map((double) => double.close()));
  });

  const openDouble = async (options: DoubleOptions): Promise<EventStoreDouble> => {
    const double = await createEventStoreDouble(options);
    doubles.push(double);
    return double;
  };

  /** What is said where it cannot be opened: always the setting's name, never a password. */
  const refusal = async (url: string, transient: boolean, openTimeout = 300): Promise<string> => {
    const error = await failureOf(logs.open(url, { openTimeout }));
    expect(error).to.be.instanceOf(SystemUnusable).and.include({ system: 'EventStoreDB', transient });
    const { message, settings, cause } = error as SystemUnusable;
    expect(settings).to.deep.equal(['EVENTSTORE_URL']);
    expect(message).to.include('EVENTSTORE_URL');
    for (const text of [message, String(cause), (cause as Error | undefined)?.stack ?? ''])
      expect(text).to.not.include('s3cret');
    return message;
  };

  it('works over TLS with user and password from the connection string', async () => {
    const { url } = await openDouble({ tls, credentials: { username: 'admin', password: 's3cret:@/&?' } });
    for (const protocol of ['esdb:', 'esdb+discover:', 'kurrentdb:', 'kdb+discover:']) {
      const log = await logs.open(`${url.replace('esdb:', protocol)}&tlsCAFile=${encodeURIComponent(authority)}`);
      expect(await log.append(`thing-${protocol}`, [anEvent()], { expected: 'none' })).to.include({ revision: 0 });
      // Subscribing is a call of its own.
      for await (const item of log.subscribe({ after: 'start', live: true })) if ('stream' in item) break;
    }
  });

  it('works over TLS with user and password in a cluster of three', async () => {
    const cluster = await createEventStoreCluster({
      nodes: 3,
      tls,
      credentials: { username: 'admin', password: 's3cret' },
    });
    try {
      cluster.elect(2);
      const log = await logs.open(
        `${cluster.url.replace('esdb:', 'esdb+discover:')}&tlsCAFile=${encodeURIComponent(authority)}`,
      );
      expect(await log.append('thing-1', [anEvent()], { expected: 'none' })).to.include({ revision: 0 });
    } finally {
      await logs.close();
      await cluster.close();
    }
  });

  it('fails for good with a wrong password', async () => {
    const { url } = await openDouble({ tls, credentials: { username: 'admin', password: 'right' } });
    const wrong = `${url.replace('right', 's3cret')}&tlsCAFile=${encodeURIComponent(authority)}`;
    // Long enough for the server to say so, however busy the machine is.
    expect(await refusal(wrong, false, 3000)).to.include('password');
  });

  it('names the right that a user lacks, and what gives it', async () => {
    const users = [{ username: 'admin', password: 's3cret', rights: ['read' as const, 'append' as const] }];
    const { url } = await openDouble({ tls, users });
    const own = url.replace('esdb://', 'esdb://admin:s3cret@');
    const message = await refusal(`${own}&tlsCAFile=${encodeURIComponent(authority)}`, false, 3000);
    expect(message)
      .to.include('$all')
      .and.include("readRoles: ['$admins', '<user>']")
      .and.include('docs/operations.md');
    expect(message).to.not.include('password');
  });

  it('looks at all hosts, and tells what waiting does not help against', async () => {
    const away = await openDouble({ tls });
    await away.stop();
    const strange = await openDouble({ tls });
    const hosts = `localhost:${away.port},localhost:${strange.port}`;
    expect(await refusal(`esdb+discover://${hosts}?tls=true`, false))
      .to.include('tlsCAFile')
      .and.include('host 2 of 2');
  });

  it('tells within the time of a health check that the password was changed, or the user disabled', async () => {
    const double = await openDouble({ tls, users: [{ username: 'admin', password: 's3cret' }] });
    const own = double.url.replace('esdb://', 'esdb://admin:s3cret@');
    const log = await logs.open(`${own}&tlsCAFile=${encodeURIComponent(authority)}`);
    await log.head();
    double.setUsers([{ username: 'admin', password: 'changed' }]);
    const startedAt = performance.now();
    const refused = refusalOf(await failureOf(log.head()));
    expect(refused?.message).to.include('the user or the password').and.include('EVENTSTORE_URL');
    expect(performance.now() - startedAt).to.be.lessThan(10_000);
    double.setUsers([{ username: 'admin', password: 's3cret' }]);
    await eventually('it works again by itself', async () => (await log.head().catch(() => undefined)) !== undefined);
  });

  it('fails for good with an expired certificate, and says that it is that', async () => {
    const expired = await aCertificate({ expired: true });
    const file = join(folder, 'expired.pem');
    await writeFile(file, expired.certificate);
    const { url } = await openDouble({ tls: expired, credentials: { username: 'admin', password: 's3cret' } });
    expect(await refusal(`${url}&tlsCAFile=${encodeURIComponent(file)}`, false)).to.include('has expired');
    const discovering = url.replace('esdb:', 'esdb+discover:');
    expect(await refusal(`${discovering}&tlsCAFile=${encodeURIComponent(file)}`, false)).to.include('expired');
  });

  it('fails for good with a certificate of an unknown authority', async () => {
    const { url } = await openDouble({ tls });
    expect(await refusal(url, false)).to.include('tlsCAFile');
  });

  it('fails for good where the server speaks no TLS', async () => {
    const { url } = await openDouble({});
    expect(await refusal(url.replace('tls=false', 'tls=true'), false)).to.include('tls=false');
  });

  it('may be tried again where nobody answers, or not yet', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => {
      sockets.push(socket.on('error', () => undefined));
    });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    expect(await refusal(`esdb://127.0.0.1:${port}?tls=false`, true)).to.include('answer');
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
    expect(await refusal(`esdb://127.0.0.1:${port}?tls=false`, true)).to.include('cannot be reached');
    const double = await openDouble({});
    double.faults.inject('read', 'not-ready');
    expect(await refusal(double.url, true)).to.include('answer');
  });

  it('refuses addresses that it cannot use, without quoting them', async () => {
    const malformed = [
      'postgres://user:s3cret@host',
      'esdb://',
      'esdb://user:s3cret@host:port?tls=false',
      'esdb://user:s3cret@host:2113?tls=perhaps',
      'esdb://user:s3cret@host:2113?tls',
      's3cret',
    ];
    for (const url of malformed) expect(await refusal(url, false)).to.include('address');
    // Of those the client would only complain on standard error, quoting the whole address with its password; and with
    // `throwOnAppendFailure` it would tell wrong revisions.
    for (const option of ['tlsVerifyCert=false', 'throwOnAppendFailure=false', 'colour=blue'])
      expect(await refusal(`esdb://user:s3cret@host:2113?${option}`, false)).to.match(/option|certificate/);
    expect(await refusal('esdb://user:s3cret@host:2113?tlsCAFile=none.pem', false)).to.include('tlsCAFile');
    expect(await refusal(`esdb://host:2113?userCertFile=${encodeURIComponent(authority)}`, false)).to.include(
      'userKeyFile',
    );
  });

  it('says the version of the server, or that it is not known', async () => {
    const { url, faults } = await openDouble({});
    const { lines, logger } = listeningLogger();
    await logs.open(url, { logger });
    expect(lines.map(({ msg }) => msg)).to.deep.equal([`the log is in EventStoreDB, version ${SERVER_VERSION}`]);
    faults.inject('features', 'mute');
    await logs.open(url, { logger, openTimeout: 500 });
    expect(lines.at(-1)?.msg).to.equal('the log is in EventStoreDB, version unknown');
  });

  it('warns that user and password are of no use without TLS', async () => {
    const { url } = await openDouble({});
    const { lines, logger } = listeningLogger();
    await logs.open(url.replace('esdb://', 'esdb://admin:s3cret@'), { logger });
    expect(lines.map(({ level }) => level)).to.deep.equal([30, 40]);
    expect(JSON.stringify(lines)).to.include('EVENTSTORE_URL').and.not.include('s3cret');
  });

  it('finds the leader of a cluster of which only the last address answers', async () => {
    // The client would ask the first one only.
    const cluster = await createEventStoreCluster({ nodes: 3 });
    try {
      cluster.elect(1);
      await cluster.nodes[0]!.stop();
      for (const protocol of ['esdb:', 'esdb+discover:']) {
        const log = await logs.open(cluster.url.replace('esdb:', protocol));
        expect(await log.append(`thing-${protocol}`, [anEvent()], { expected: 'none' })).to.include({ revision: 0 });
      }
    } finally {
      await logs.close();
      await cluster.close();
    }
  });

  it('asks nobody but the leader, whichever node is named: another one may lag behind', async () => {
    const cluster = await createEventStoreCluster({ nodes: 3, forwardsWrites: true });
    try {
      for (const call of ['append', 'read', 'subscription'] as const) cluster.nodes[1]!.faults.inject(call, 'mute');
      const log = await logs.open(cluster.nodes[1]!.url, PATIENT);
      await log.append('thing-1', [anEvent('led')], { expected: 'none' });
      expect(await collect(log.readStream('thing-1'))).to.have.length(1);
      const reader = log.subscribe({ after: 'start', live: true })[Symbol.asyncIterator]();
      for (const seen of ['led', 'caught up', 'followed']) {
        const { value } = await reader.next();
        if (seen === 'caught up') await log.append('thing-1', [anEvent('followed')], { expected: 0 });
        else expect(value).to.include({ data: seen });
      }
      await reader.return?.();
    } finally {
      await logs.close();
      await cluster.close();
    }
  });

  it('loads no second copy of the client, whose messages could not be distinguished', async () => {
    const lock = await readFile(new URL('../../../package-lock.json', import.meta.url), 'utf8');
    expect(lock).to.not.include('@kurrent/');
  });
});
