import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { pino } from 'pino';
import { eventStoreLogIdentity } from '../../../src/adapters/eventstore/identity.ts';
import { createEventStoreLog } from '../../../src/adapters/eventstore/log.ts';
import type { RecordedEvent } from '../../../src/events/event.ts';
import type { Log } from '../../../src/ports/log.ts';
import { KILL_POINTS, type KillPoint } from '../../../src/resilience/kill-point.ts';
import { createEventStoreDouble, type EventStoreDouble } from '../../eventstore-double/double.ts';
import { type OpenedPool, openPool } from '../../pool.ts';
import { type TestDatabase, testDatabase } from '../../postgres.ts';
import { openServiceDouble, type ServiceDouble } from '../../processes/service-double.ts';
import { eventsIn, type Installation, openInstallation } from '../installation.ts';
import { startCli } from '../run-cli.ts';

const withoutPosition = ({ position: _, ...rest }: RecordedEvent) => rest;

/** As many events as it takes for more than one append of `budapp log heal`. */
const MODELS = 170;
const LOST = 600;

describe('budapp log heal', function () {
  this.timeout(300_000);
  let folder = '';
  let database: TestDatabase;
  let service: ServiceDouble;
  let double: EventStoreDouble;
  let opened: OpenedPool;
  let log: Log;
  let budapp: Installation;
  let events: RecordedEvent[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'budapp-heal-'));
    database = await testDatabase();
    service = await openServiceDouble();
    double = await createEventStoreDouble();
    opened = openPool(database.connection_string, 16);
    log = await createEventStoreLog({ url: double.url, logger: pino({ level: 'silent' }) });
    budapp = openInstallation({ pool: opened.pool, service });
    await budapp.start(log, await eventStoreLogIdentity({ url: double.url }));
    await budapp.working(log, async () => {
      for (let n = 0; n < MODELS; n += 1) await budapp.upload(log, `model-${n}`);
      await budapp.heard(log, 'WorkflowCallAnswered', MODELS);
    });
    events = await eventsIn(log);
  });
  afterEach(async () => {
    await log.close();
    await double.close();
    await service.close();
    await opened.close();
    await database.close();
    await rm(folder, { recursive: true, force: true });
  });

  const run = async (args: readonly string[], settings: Readonly<Record<string, string>> = {}) => {
    const env = { EVENTSTORE_URL: double.url, DATA_DIR: folder, ...settings };
    const { connection_string } = database;
    const { output, exited } = startCli(['log', 'heal', ...args], { connection_string, env });
    return { code: await exited, output: output() };
  };

  const isWhole = async () => {
    const inLog = await eventsIn(log);
    expect(inLog.map(withoutPosition)).to.deep.equal(events.map(withoutPosition));
    const { audit } = await budapp.state();
    expect(audit.map(({ event_id, position }) => [event_id, position])).to.deep.equal(
      inLog.map(({ id, position }) => [id, position]),
    );
  };

  const pointsOf = (...without: KillPoint[]) =>
    KILL_POINTS.filter((point) => point.startsWith('log heal: ') && !without.includes(point));

  it('goes on after a kill -9 at every step, and asks nothing of anybody twice', async () => {
    const asked = service.asked.length;
    await double.loseTail(LOST);
    for (const point of pointsOf()) {
      const { code, output } = await run(['--yes'], { KILL_POINT: point });
      expect(code, `${point}: ${output}`).to.equal('SIGKILL');
      if (point !== 'log heal: committed')
        expect((await opened.pool.query('select from log_healing')).rowCount, point).to.equal(1);
    }
    const { code, output } = await run(['--yes']);
    expect(code, output).to.equal(0);
    expect(output).to.match(/The log holds all that the audit holds/);
    await isWhole();
    await budapp.working(log);
    expect(service.asked.length).to.equal(asked);
    await isWhole();
  });

  it('goes on after a kill -9 at every step where the loss is accepted', async () => {
    await double.loseTail(LOST);
    for (const point of pointsOf('log heal: events appended', 'log heal: all appended')) {
      const { code, output } = await run(['--yes', '--accept-loss'], { KILL_POINT: point });
      expect(code, `${point}: ${output}`).to.equal('SIGKILL');
    }
    const { code, output } = await run(['--yes', '--accept-loss']);
    expect(code, output).to.equal(0);
    expect((await readdir(folder)).filter((name) => name.startsWith('lost-events-'))).to.have.length.at.least(2);
    expect(await eventsIn(log)).to.have.length(events.length - LOST);
    await budapp.working(log);
    const { audit } = await budapp.state();
    expect(audit.map(({ event_id }) => event_id)).to.include.members(
      events.slice(0, events.length - LOST).map(({ id }) => id),
    );
  });

  it('shows what is missing, and changes nothing without a yes', async () => {
    await double.loseTail(LOST);
    const { code, output } = await run([]);
    expect(code, output).to.equal(1);
    expect(output)
      .to.match(/Missing in the log: 600 events of \d+ streams, from 2\S+Z to 2\S+Z: /)
      .and.match(/--yes/);
    expect(await eventsIn(log)).to.have.length(events.length - LOST);
    expect((await opened.pool.query('select from log_healing')).rowCount).to.equal(0);
  });

  it('exits with 2 where other events stand in the way, and with 3 where they are given up', async () => {
    await double.loseTail(LOST);
    await budapp.upload(log, 'meanwhile');
    const refused = await run(['--yes']);
    expect(refused.code, refused.output).to.equal(2);
    expect(refused.output).to.match(/--accept-loss/);
    const accepted = await run(['--yes', '--accept-loss']);
    expect(accepted.code, accepted.output).to.equal(3);
    expect(accepted.output).to.match(/Kept 600 lost events in \S+jsonl/);
  });

  it('refuses while BudApp is at work, and has nothing to do where the log is in Postgres', async () => {
    await double.loseTail(LOST);
    const running = openPool(`${database.connection_string}?application_name=budapp`);
    await running.pool.query('select 1');
    const refused = await run(['--yes']);
    await running.close();
    expect(refused.code, refused.output).to.equal(1);
    expect(refused.output).to.match(/BudApp is still at work/);
    const inPostgres = await run([], { EVENTSTORE_URL: '' });
    expect(inPostgres.code, inPostgres.output).to.equal(0);
    expect(inPostgres.output).to.match(/both are restored together/);
  });
});
