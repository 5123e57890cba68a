import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { expect } from 'chai';
import { WebSocket } from 'ws';
import { createNatsStatusBus, type NatsStatusBus } from '../../src/adapters/nats/status-bus.ts';
import { Rejected, SystemUnusable } from '../../src/errors.ts';
import { createStatusFeed } from '../../src/projections/engine/status-feed.ts';
import { createLogger } from '../../src/telemetry.ts';
import { type RunningApi, startApi } from '../api/running-api.ts';
import { aCertificate } from '../certificate.ts';
import { statusBusContract } from '../contract/status-bus.ts';
import { failureOf } from '../failure-of.ts';
import { startChildSystem } from './harness/child-system.ts';
import { type FreezableProxy, startFreezableProxy } from './harness/freezable-proxy.ts';
import { claimFolder } from './harness/leftover.ts';
import { keptPort } from './harness/ports.ts';
import type { System } from './harness/system.ts';
import { needTool } from './install/tools.ts';
import { startNats } from './servers/nats.ts';

const silent = createLogger({ level: 'silent' });

/** A logger whose lines can be awaited. */
const listeningLog = () => {
  const lines: { message: string }[] = [];
  const waiting: (() => void)[] = [];
  const destination = {
    write(line: string) {
      lines.push(JSON.parse(line));
      for (const wake of waiting.splice(0)) wake();
    },
  };
  return {
    log: createLogger({ level: 'info', destination }),
    async line(pattern: RegExp): Promise<{ message: string }> {
      for (;;) {
        const found = lines.find(({ message }) => pattern.test(message));
        if (found) return found;
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
  };
};

const unusableOf = async (work: Promise<unknown>): Promise<SystemUnusable> => {
  const failure = await failureOf(work);
  if (failure instanceof SystemUnusable) return failure;
  throw failure;
};

describe('NATS', () => {
  let dir: string;
  let nats: System;
  let url: string;
  const open: NatsStatusBus[] = [];

  const openBus = async (log = silent, address = url): Promise<NatsStatusBus> => {
    const bus = await createNatsStatusBus({ url: address, log });
    open.push(bus);
    return bus;
  };

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'nats-'));
    nats = await startNats({ dir });
    url = nats.settings.NATS_URL ?? '';
  });
  afterEach(async () => {
    await nats.start();
    await Promise.all(open.splice(0).map((bus) => bus.close()));
  });
  after(async () => {
    await nats?.close();
    await rm(dir, { recursive: true, force: true });
  });

  describe('as any status bus', () => statusBusContract(() => openBus()));

  it('delivers to every other connection, as soon as the subscription has been confirmed', async () => {
    const [one, other] = [await openBus(), await openBus()];
    const arrived = Promise.withResolvers<string>();
    await other.subscribe('bud.status.>', ({ payload }) => arrived.resolve(payload));
    await one.publish({ subject: 'bud.status.-.model.m1', payload: 'hello' });
    expect(await arrived.promise).to.equal('hello');
  });

  it('tries one server after the other, and passes over those that are down', async () => {
    const bus = await openBus(silent, `nats://127.0.0.1:1,${url}`);
    await bus.check();
  });

  describe('a server that is killed', () => {
    it('is said to be gone and back, with the name of the setting; meanwhile nothing is taken', async () => {
      const { log, line } = listeningLog();
      const bus = await openBus(log);
      await nats.stop('kill');
      expect((await line(/is lost/)).message).to.contain('NATS_URL');
      const start = performance.now();
      const refusal = await failureOf(bus.publish({ subject: 'a', payload: 'lost' }));
      expect(refusal).to.be.instanceOf(Rejected).and.include({ kind: 'unavailable', retryAfterSeconds: 2 });
      expect(await failureOf(bus.check())).to.be.instanceOf(Rejected);
      expect(performance.now() - start).to.be.lessThan(2_000);
      await nats.start();
      await line(/connected again/);
      await bus.publish({ subject: 'a', payload: 'taken' });
      await bus.check();
    });

    it('leaves the subscriptions in force, and tells them of the gap', async () => {
      const bus = await openBus();
      const seen: string[] = [];
      const gap = Promise.withResolvers<void>();
      const last = Promise.withResolvers<void>();
      await bus.subscribe(
        'a.>',
        ({ subject }) => {
          seen.push(subject);
          if (subject === 'a.last') last.resolve();
        },
        { onGap: gap.resolve },
      );
      await nats.stop('kill');
      await nats.start();
      await gap.promise;
      await bus.publish({ subject: 'a.after', payload: '' });
      await bus.publish({ subject: 'a.last', payload: '' });
      await last.promise;
      expect(seen).to.deep.equal(['a.after', 'a.last']);
    });

    it('does not keep a bus from being closed', async () => {
      const bus = await openBus();
      await nats.stop('kill');
      await bus.close();
      expect(await failureOf(bus.publish({ subject: 'a', payload: '' }))).to.match(/closed/);
    });
  });

  describe('a server that falls silent with an open connection', function () {
    this.timeout(60_000);
    let proxy: FreezableProxy;
    before(async () => {
      proxy = await startFreezableProxy(new URL(url).host);
    });
    after(() => proxy.close());
    afterEach(() => proxy.thaw());
    const openFrozen = (log = silent) => openBus(log, `nats://${proxy.address}`);

    it('is left, and found again when it answers', async () => {
      const { log, line } = listeningLog();
      const bus = await openFrozen(log);
      const gap = Promise.withResolvers<void>();
      await bus.subscribe('a', () => undefined, { onGap: gap.resolve });
      proxy.freeze();
      expect(await failureOf(bus.check())).to.be.instanceOf(Rejected);
      await line(/is lost/);
      proxy.thaw();
      await gap.promise;
      await bus.check();
    });

    it('is sent no more than a window of messages', async () => {
      const bus = await openFrozen();
      const payload = 'x'.repeat(512 * 1024);
      proxy.freeze();
      let taken = 0;
      const flood = async () => {
        for (; taken < 1000; taken += 1) await bus.publish({ subject: 'a', payload });
      };
      expect(await failureOf(flood()))
        .to.be.instanceOf(Rejected)
        .and.include({ code: 'status-bus-unavailable' });
      expect(taken).to.be.within(1, 40);
    });
  });

  describe('what cannot be used', () => {
    const opening = (address: string) => unusableOf(createNatsStatusBus({ url: address, log: silent }));

    it('waits for a server that is not there yet', async () => {
      const failure = await opening('nats://127.0.0.1:1');
      expect(failure).to.deep.include({ system: 'NATS', transient: true, settings: ['NATS_URL'] });
    });

    it('gives up on a server that never says anything', async function () {
      this.timeout(20_000);
      const mute = await startFreezableProxy(new URL(url).host);
      mute.freeze();
      expect(await opening(`nats://${mute.address}`)).to.include({ transient: true });
      await mute.close();
    });

    it('does not wait where the password is wrong, nor repeats it', async () => {
      const own = await startNats({ dir: join(dir, 'auth'), auth: { user: 'bud', password: 'right' } });
      try {
        const right = own.settings.NATS_URL ?? '';
        await (await openBus(silent, right)).check();
        for (const wrong of [right.replace('right', 'wrong'), right.replace('bud:right@', '')]) {
          const failure = await opening(wrong);
          expect(failure).to.include({ transient: false });
          expect(failure.message)
            .to.match(/refuses the user, password or token.*NATS_URL/)
            .and.not.contain('wrong');
        }
      } finally {
        await Promise.all(open.splice(0).map((bus) => bus.close()));
        await own.close();
      }
    });

    it('does not wait where TLS is asked of a server without it', async () => {
      expect(await opening(url.replace('nats:', 'tls:'))).to.include({ transient: false });
    });

    it('does not wait where the certificate is not trusted or has expired; one that is trusted is spoken to', async () => {
      const trusted = getCACertificates('default');
      for (const expired of [true, false]) {
        const { certificate, key } = await aCertificate({ expired });
        const own = await startTlsNats(join(dir, `tls-${expired}`), { certificate, key });
        try {
          for (const address of [`tls://127.0.0.1:${own.port}`, `nats://localhost:${own.port}`]) {
            const failure = await opening(address);
            const settings = expired ? ['NATS_URL'] : ['NATS_URL', 'NODE_EXTRA_CA_CERTS'];
            expect(failure).to.deep.include({ transient: false, settings });
            expect(failure.message).to.contain('certificate');
            if (expired) continue;
            setDefaultCACertificates([...trusted, certificate]);
            await (await openBus(silent, address)).check();
            setDefaultCACertificates(trusted);
          }
        } finally {
          setDefaultCACertificates(trusted);
          await Promise.all(open.splice(0).map((bus) => bus.close()));
          await own.close();
        }
      }
    });

    for (const address of ['http://127.0.0.1:4222', 'nats://', '', ' , ', 'nats://a:b:c']) {
      it(`says that ${JSON.stringify(address)} cannot be read`, async () => {
        expect(await opening(address)).to.include({ transient: false });
      });
    }
  });

  describe('the live stream over it', () => {
    let api: RunningApi;
    let feedBus: NatsStatusBus;
    let close: () => Promise<void>;
    before(async () => {
      const bus = await createNatsStatusBus({ url, log: silent });
      feedBus = await createNatsStatusBus({ url, log: silent });
      api = await startApi({ bus });
      const feed = createStatusFeed({ log: api.services.log, bus: feedBus, logger: silent });
      close = async () => {
        await feed.close();
        await feedBus.close();
        await api.close();
        await bus.close();
      };
      await api.admin.get('/auth/me');
    });
    after(() => close());

    const create = (name: string) => api.admin.post('/projects', { name });

    it('brings each event once and in order over a restart of NATS, also where nothing follows', async () => {
      const socket = new WebSocket(`${api.url.replace('http', 'ws')}/stream?from=now&area=project`, {
        headers: { authorization: `Bearer ${api.admin.token}` },
      });
      const names: string[] = [];
      const positions: string[] = [];
      const until = (wanted: string) =>
        new Promise<void>((resolve) => {
          const look = () => {
            if (!names.includes(wanted)) return;
            socket.off('message', look);
            resolve();
          };
          socket.on('message', look);
          look();
        });
      socket.on('message', (data) => {
        const frame = JSON.parse(String(data));
        names.push(frame.data.name);
        positions.push(frame.position);
      });
      await once(socket, 'open');
      await create('before');
      await until('before');
      await nats.stop('kill');
      await create('meanwhile 1');
      await create('meanwhile 2');
      await nats.start();
      // Nothing happens any more that would show the gap.
      await until('meanwhile 2');
      await create('after');
      await until('after');
      expect(names).to.deep.equal(['before', 'meanwhile 1', 'meanwhile 2', 'after']);
      expect(positions).to.deep.equal([...new Set(positions)].sort());
      socket.close();
    });
  });
});

/** A server that demands TLS. */
const startTlsNats = async (dir: string, files: { certificate: string; key: string }) => {
  const { program, version } = await needTool('nats-server');
  await claimFolder(dir, 'nats');
  const port = await keptPort(dir, 'nats');
  await writeFile(join(dir, 'cert.pem'), files.certificate);
  await writeFile(join(dir, 'key.pem'), files.key);
  const tls = ['--tls', '--tlscert', join(dir, 'cert.pem'), '--tlskey', join(dir, 'key.pem')];
  const ask = async () => {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'data').finally(() => socket.destroy());
  };
  const launch = { program, args: ['--addr', '127.0.0.1', '--port', String(port), ...tls], cwd: dir };
  const system = await startChildSystem({ name: 'nats', version, dir, settings: {}, launch, ask });
  return { ...system, port };
};
