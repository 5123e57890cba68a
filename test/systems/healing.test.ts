import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { pino } from 'pino';
import { createEventStoreLog } from '../../src/adapters/eventstore/log.ts';
import type { Client } from '../../src/demo/client.ts';
import type { EndpointView, ModelView } from '../../src/demo/story.ts';
import type { RecordedEvent } from '../../src/events/event.ts';
import { collect, isEvent } from '../contract/log.ts';
import { type BudApp, loggedIn, startBudApp } from '../e2e/budapp.ts';
import { aCluster, aModel, settledEndpoint, wholeHistory } from '../e2e/deployment.ts';
import { createEventStoreDouble, type EventStoreDouble } from '../eventstore-double/double.ts';
import { connect, anEvent as proposed } from '../eventstore-double/opened.ts';
import { eventually } from '../eventually.ts';
import { failureOf } from '../failure-of.ts';

const run = promisify(execFile);
const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

type Row = Readonly<Record<string, unknown>> & { id: string; revision: number };

const AREAS = ['project', 'model', 'cluster', 'endpoint', 'workflow', 'user'] as const;

const withoutPosition = ({ position: _, ...rest }: RecordedEvent) => rest;

const idsOf = (events: readonly RecordedEvent[]): string[] => events.map(({ id }) => id);

/** docs/operations.md, "A log restored from an older backup": the bad day, from the backup to going on. */
describe('a log restored from an older backup', function () {
  this.timeout(300_000);
  let dataDir = '';
  let double: EventStoreDouble;
  let budapp: BudApp | null = null;
  let model: ModelView;
  let endpoint: EndpointView;
  /** The history when the log was lost, and how much of it the backup has. */
  let history: RecordedEvent[] = [];
  let inBackup = 0;
  let lists: Awaited<ReturnType<typeof listsOf>>;

  const start = async (): Promise<Client> => {
    budapp = await startBudApp(dataDir, { EVENTSTORE_URL: double.url });
    return loggedIn(budapp);
  };
  const stop = async () => {
    await budapp?.stop();
    budapp = null;
  };
  const eventsInLog = async (): Promise<RecordedEvent[]> => {
    const log = await createEventStoreLog({ url: double.url, logger: pino({ level: 'silent' }) });
    const events = (await collect(log.subscribe({ after: 'start', live: false }))).filter(isEvent);
    await log.close();
    return events;
  };
  const heal = (...flags: string[]) =>
    run(process.execPath, [CLI, 'log', 'heal', ...flags], {
      env: { ...process.env, DATA_DIR: dataDir, EVENTSTORE_URL: double.url },
    });
  const endpointOf = async (client: Client, name: string): Promise<EndpointView> => {
    const asked = await client.post<EndpointView>('/endpoints', { name, model_id: model.id, replicas: 1 });
    const settled = await settledEndpoint(client, asked);
    expect(settled.status).to.equal('running', settled.reason?.message);
    return settled;
  };

  const listOf = async (client: Client, area: string): Promise<Row[]> =>
    (await client.get<{ items: Row[] }>(`/${area}s?limit=200&sort=created_at`)).body.items;
  const listsOf = async (client: Client) =>
    Object.fromEntries(await Promise.all(AREAS.map(async (area) => [area, await listOf(client, area)] as const)));

  /** Every list shows what folding the streams of the log shows, and nothing else; the audit has one row an event. */
  const showsTheLog = (client: Client) =>
    eventually('the lists show the log', async () => {
      const events = await eventsInLog();
      const audited = await wholeHistory(client);
      expect(audited.map(({ event_id, position }) => [event_id, position])).to.deep.equal(
        events.map(({ id, position }) => [id, position]),
      );
      for (const area of AREAS) {
        const rows = await listOf(client, area);
        for (const row of rows) {
          const { body } = await client.get<Row>(`/audit/${area}/${row.id}/state`);
          expect({ id: row.id, revision: row.revision }).to.deep.equal({ id: body.id, revision: body.revision });
        }
        const shown = new Set(rows.map(({ id }) => `${area}-${id}`));
        const streams = new Set(events.map(({ stream }) => stream).filter((stream) => stream.startsWith(`${area}-`)));
        for (const stream of shown) expect(streams.has(stream), `${stream} is in the log`).to.equal(true);
      }
      return true;
    });

  const refusal = async (client: Client): Promise<string> =>
    client.post('/projects', { name: 'too late' }).then(
      () => 'accepted',
      (error: Error) => error.message,
    );

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'budapp-healing-'));
    double = await createEventStoreDouble();
    const client = await start();
    model = await aModel(client, 'kept');
    expect((await aCluster(client)).status).to.equal('available');
    await endpointOf(client, 'before-the-backup');

    const backup = await double.backup();
    inBackup = (await eventsInLog()).length;

    endpoint = await endpointOf(client, 'after-the-backup');
    const { body: doomed } = await client.post<{ id: string }>('/projects', { name: 'made and deleted' });
    await client.delete(`/projects/${doomed.id}`);
    await client.post('/projects', { name: 'made after the backup' });
    await showsTheLog(client);
    lists = await listsOf(client);
    history = await eventsInLog();
    expect(history.length).to.be.greaterThan(inBackup + 10);

    await double.start(backup);
    // Another application in the same server: from here on the positions are others than they were.
    const theirs = connect(double.url);
    await eventually('it is written', () => theirs.append('theirs', [proposed(1), proposed(2), proposed(3)]));
    await theirs.dispose();
  });
  after(async () => {
    await stop();
    await double.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  it('is fenced: nothing is accepted any more, and what was shown is still shown', async () => {
    const client = await loggedIn(budapp!);
    await eventually('it is noticed', async () => (await refusal(client)).includes('log-behind'));
    expect((await fetch(`${budapp!.url}/health/ready`)).status).to.equal(503);
    const names = (await listOf(client, 'project')).map(({ name }) => name);
    expect(names).to.include('made after the backup');
    expect(await eventsInLog()).to.have.length(inBackup);
  });

  it('builds nothing anew meanwhile: the audit is the only copy', async () => {
    const client = await loggedIn(budapp!);
    const of = async () => (await client.get<{ items: unknown[] }>('/audit/events?limit=200')).body.items.length;
    const before = await of();
    const rebuild = client.post('/operations/projections/audit_log/rebuild', {});
    expect(String(await failureOf(rebuild))).to.include('log-behind');
    expect(await of()).to.equal(before);
  });

  it('is fenced after a restart, too', async () => {
    await stop();
    const client = await start();
    expect(await refusal(client)).to.include('log-behind');
    expect((await listOf(client, 'project')).map(({ name }) => name)).to.include('made after the backup');
    await stop();
    expect(await eventsInLog()).to.have.length(inBackup);
  });

  it('is healed: the log has every event again, as it was', async () => {
    const { stdout } = await heal('--yes');
    expect(stdout)
      .to.match(/Missing in the log: \d+ events of \d+ streams, from \S+Z to \S+Z: /)
      .and.match(/Appended \d+ events\./)
      .and.not.match(/Not recoverable/);
    const healed = await eventsInLog();
    expect(healed.slice(0, history.length).map(withoutPosition)).to.deep.equal(history.map(withoutPosition));
    expect(healed.at(-1)?.position).not.to.equal(history.at(-1)?.position);
    expect((await readdir(dataDir)).filter((name) => name.startsWith('lost-events'))).to.deep.equal([]);
  });

  it('goes on as if nothing had happened, and every list shows what the log has', async () => {
    const client = await start();
    await showsTheLog(client);
    for (const area of ['project', 'model', 'user'] as const) {
      const still = ({ position: _, ...row }: Row) => row;
      expect((await listOf(client, area)).map(still), area).to.deep.equal((lists[area] ?? []).map(still));
    }
    expect(await refusal(client)).to.equal('accepted');
    const { body } = await eventually('the endpoint runs again', async () => {
      const found = await client.get<EndpointView>(`/endpoints/${endpoint.id}`);
      return found.body.status === 'running' ? found : null;
    });
    expect(body.url).to.equal(endpoint.url);
    const scaled = await client.post<EndpointView>(`/endpoints/${endpoint.id}/scale`, { replicas: 2 });
    expect((await settledEndpoint(client, scaled)).status).to.equal('running');
    await endpointOf(client, 'after-the-healing');
    await showsTheLog(client);
  });

  it('has performed nothing twice', async () => {
    const events = await eventsInLog();
    expect(new Set(idsOf(events)).size).to.equal(events.length);
    const own = events.filter(({ stream }) => stream === `endpoint-${endpoint.id}`);
    expect(own.filter(({ type }) => type === 'EndpointDeployed')).to.have.length(1);
    expect(own.map(({ revision }) => revision)).to.deep.equal(own.map((_, n) => n));
    const { stdout } = await stop().then(() => heal('--yes'));
    expect(stdout).to.match(/The log holds all that the audit holds/);
    expect(await eventsInLog()).to.deep.equal(events);
  });
});
