import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Pool } from 'pg';
import { pino } from 'pino';
import { eventStoreLogIdentity } from '../../../src/adapters/eventstore/identity.ts';
import { createEventStoreImport } from '../../../src/adapters/eventstore/import.ts';
import { createEventStoreLog } from '../../../src/adapters/eventstore/log.ts';
import type { Fact } from '../../../src/events/catalog.ts';
import type { RecordedEvent } from '../../../src/events/event.ts';
import { ClusterId, EndpointId, WorkflowId } from '../../../src/events/ids.ts';
import type { Log } from '../../../src/ports/log.ts';
import { type Diagnosis, type Healed, type HealOptions, heal } from '../../../src/wiring/log-heal/heal.ts';
import { MoveRefused } from '../../../src/wiring/log-positions/move-refused.ts';
import { createEventStoreDouble, type EventStoreDouble } from '../../eventstore-double/double.ts';
import { connect, anEvent as proposed } from '../../eventstore-double/opened.ts';
import { eventually } from '../../eventually.ts';
import { failureOf } from '../../failure-of.ts';
import { openPool } from '../../pool.ts';
import { type TestDatabase, testDatabase } from '../../postgres.ts';
import { openServiceDouble, type ServiceDouble } from '../../processes/service-double.ts';
import { fresh, startEndpoint } from '../../projections/facts.ts';
import { eventsIn, type Installation, openInstallation, processes } from '../installation.ts';

const logger = pino({ level: 'silent' });
const withoutPosition = ({ position: _, ...rest }: RecordedEvent) => rest;
const idsOf = (events: readonly RecordedEvent[]): string[] => events.map(({ id }) => id);

describe('making a log whole again', function () {
  this.timeout(20_000);
  let folder = '';
  let database: TestDatabase;
  let service: ServiceDouble;
  let double: EventStoreDouble;
  let pool: Pool;
  let closePool: () => Promise<void>;
  let log: Log;
  let budapp: Installation;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'budapp-heal-'));
    database = await testDatabase();
    service = await openServiceDouble();
    double = await createEventStoreDouble();
    ({ pool, close: closePool } = openPool(database.connection_string, 16));
    log = await createEventStoreLog({ url: double.url, logger });
    budapp = openInstallation({ pool, service });
    await budapp.start(log, await eventStoreLogIdentity({ url: double.url }));
  });
  afterEach(async () => {
    await log.close();
    await double.close();
    await service.close();
    await closePool();
    await database.close();
    await rm(folder, { recursive: true, force: true });
  });

  const lostEvents = () => join(folder, 'lost.jsonl');
  const healed = async (options: Partial<HealOptions> = {}): Promise<Healed> => {
    const to = await createEventStoreImport({ url: double.url, logger });
    try {
      return await heal({
        ...{ pool, log: to, processes, batch: 3, accept_loss: false },
        log_id: await eventStoreLogIdentity({ url: double.url }),
        lost_events: lostEvents(),
        confirm: async () => true,
        onProgress: () => undefined,
        ...options,
      });
    } finally {
      await to.close();
    }
  };

  /** What another application writes into the same server, so that later positions are others than before. */
  const somebodyElseWrites = async () => {
    const theirs = connect(double.url);
    // Its first connection may be one that is cut together with the log.
    await eventually('it is written', () => theirs.append('theirs', [proposed(1), proposed(2)]));
    await theirs.dispose();
  };

  /** A model that is onboarded, and one whose onboarding waits for an answer of the model service. */
  const history = async () => {
    let waiting = { workflow_id: '', model_id: '' };
    await budapp.working(log, async () => {
      const model = await budapp.upload(log, 'done');
      await budapp.heard(log, 'WorkflowCallAnswered');
      await budapp.answerExtraction(log, model.workflow_id);
      await budapp.heard(log, 'WorkflowSucceeded');
      waiting = await budapp.upload(log, 'waiting');
      await budapp.heard(log, 'WorkflowCallAnswered', 2);
    });
    return { waiting, events: await eventsIn(log), state: await budapp.state() };
  };

  /** Every stored position is that of the same event in the log, and the audit has one row an event. */
  const fitsTheLog = async () => {
    const events = await eventsIn(log);
    const { audit, projections, checkpoint } = await budapp.state();
    expect(audit.map(({ event_id, position }) => [event_id, position])).to.deep.equal(
      events.map(({ id, position }) => [id, position]),
    );
    const head = await log.head();
    expect(projections.map(({ position }) => position)).to.deep.equal(projections.map(() => head));
    expect(checkpoint).to.deep.equal([{ position: head }]);
  };

  const diagnosisOf = async (options: Partial<HealOptions> = {}): Promise<Diagnosis> => {
    const { diagnosis } = await healed({ confirm: async () => false, ...options });
    return diagnosis;
  };

  it('appends what is missing as it was, and moves every position to where the same event is now', async () => {
    const { events, state } = await history();
    await double.loseTail(8);
    await somebodyElseWrites();
    const { missing } = await diagnosisOf();
    expect(missing).to.include({ events: 8 });
    expect(missing.first_at?.toISOString()).to.equal(events.at(-8)?.at);
    expect(missing.last_at?.toISOString()).to.equal(events.at(-1)?.at);
    expect(missing.examples).to.have.members([...new Set(events.slice(-8).map(({ stream }) => stream))]);

    expect(await healed()).to.include({ outcome: 'done', appended: 8, kept: 0 });
    const after = await eventsIn(log);
    expect(after.map(withoutPosition)).to.deep.equal(events.map(withoutPosition));
    expect(after.map(({ position }) => position)).not.to.deep.equal(events.map(({ position }) => position));
    await fitsTheLog();
    const moved = await budapp.state();
    const still = ({ position: _, ...row }: Record<string, unknown>) => row;
    for (const part of ['models', 'workflows', 'instances', 'timers', 'intents'] as const)
      expect(moved[part].map(still), part).to.deep.equal(state[part].map(still));
  });

  it('goes on afterwards: nothing is folded, reacted to or asked for twice', async () => {
    const { waiting } = await history();
    const asked = service.asked.length;
    await double.loseTail(8);
    await somebodyElseWrites();
    const log_id = await eventStoreLogIdentity({ url: double.url });
    expect(await failureOf(budapp.start(log, log_id))).to.include({ code: 'log-behind' });
    await healed();
    await budapp.start(log, await eventStoreLogIdentity({ url: double.url }));
    await budapp.working(log);
    expect(service.asked.slice(asked)).to.deep.equal([]);
    await budapp.working(log, async () => {
      await budapp.answerExtraction(log, waiting.workflow_id);
      await budapp.heard(log, 'WorkflowSucceeded', 2);
    });
    await fitsTheLog();
    expect(new Set(idsOf(await eventsIn(log))).size).to.equal((await eventsIn(log)).length);
  });

  it('can be stopped after any append, and lets no BudApp start until it has been finished', async () => {
    const { events } = await history();
    await double.loseTail(8);
    await somebodyElseWrites();
    const stopped = healed({
      onProgress: (appended) => {
        if (appended >= 6) throw new Error('stopped here');
      },
    });
    expect(await failureOf(stopped)).to.include({ message: 'stopped here' });
    expect(await eventsIn(log)).to.have.length(events.length - 2);
    const log_id = await eventStoreLogIdentity({ url: double.url });
    expect(String(await failureOf(budapp.start(log, log_id)))).to.match(/budapp log heal.*not been finished/);
    expect(await healed()).to.include({ outcome: 'done', appended: 2 });
    expect((await eventsIn(log)).map(withoutPosition)).to.deep.equal(events.map(withoutPosition));
    await fitsTheLog();
    expect(await healed()).to.include({ outcome: 'done', appended: 0, kept: 0 });
    await fitsTheLog();
  });

  it('fills a log that has lost everything, its id too', async () => {
    const { events, waiting } = await history();
    await double.start('lose');
    expect(await healed()).to.include({ outcome: 'done', appended: events.length });
    expect((await eventsIn(log)).map(withoutPosition)).to.deep.equal(events.map(withoutPosition));
    await budapp.start(log, await eventStoreLogIdentity({ url: double.url }));
    await budapp.working(log, async () => {
      await budapp.answerExtraction(log, waiting.workflow_id);
      await budapp.heard(log, 'WorkflowSucceeded', 2);
    });
    await fitsTheLog();
  });

  it('gives up nothing for a log that is another one', async () => {
    await history();
    await double.start('lose');
    const before = await budapp.state();
    expect(await failureOf(healed({ accept_loss: true }))).to.be.instanceOf(MoveRefused);
    await budapp.upload(log, 'of another installation');
    expect(await failureOf(healed())).to.be.instanceOf(MoveRefused);
    expect(await budapp.state()).to.deep.equal(before);
  });

  it('works alone', async () => {
    await history();
    await double.loseTail(8);
    let second: unknown;
    await healed({
      confirm: async () => {
        second = await failureOf(healed());
        return true;
      },
    });
    expect(second).to.be.instanceOf(MoveRefused);
    await fitsTheLog();
  });

  it('says which events stand in the way, and changes nothing', async () => {
    const { waiting } = await history();
    await double.loseTail(8);
    await budapp.upload(log, 'meanwhile');
    const before = await budapp.state();
    const there = idsOf(await eventsIn(log));
    const { outcome, diagnosis } = await healed();
    expect(outcome).to.equal('impossible');
    expect(diagnosis.unknown.events).to.be.greaterThan(0);
    expect(diagnosis.missing.examples).to.include(`workflow-${waiting.workflow_id}`);
    expect(await budapp.state()).to.deep.equal(before);
    expect(idsOf(await eventsIn(log))).to.deep.equal(there);
  });

  it('takes the log as the truth where the loss is accepted, and keeps the lost events in a file', async () => {
    const { events } = await history();
    await double.loseTail(8);
    await budapp.upload(log, 'meanwhile');
    const result = await healed({ accept_loss: true });
    expect(result).to.include({ outcome: 'done', appended: 0, kept: 8 });
    const lines = (await readFile(lostEvents(), 'utf8')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).to.deep.equal(events.slice(-8));
    await budapp.start(log, await eventStoreLogIdentity({ url: double.url }));
    expect(await failureOf(healed({ accept_loss: true }))).to.equal(undefined);
    await budapp.working(log, () => budapp.heard(log, 'WorkflowCallAnswered', 2));
    await fitsTheLog();
    const inLog = new Set((await eventsIn(log)).map(({ stream }) => stream));
    const { models, instances } = await budapp.state();
    expect(models.every(({ id }) => inLog.has(`model-${id}`))).to.equal(true);
    expect(instances.every(({ instance_id }) => inLog.has(`workflow-${instance_id}`))).to.equal(true);
  });

  it('appends what it can where the audit lacks an event of a stream, and keeps what comes after that one in a file', async () => {
    const { events } = await history();
    const started = events.findLast(({ type }) => type === 'WorkflowStarted') as RecordedEvent;
    const behind = events.filter(({ stream, revision }) => stream === started.stream && revision > started.revision);
    expect(behind).not.to.deep.equal([]);
    await pool.query('delete from audit_log where event_id = $1', [started.id]);
    await double.loseTail(8);
    const result = await healed();
    expect(result).to.include({ outcome: 'done', appended: 7 - behind.length, kept: behind.length });
    expect(result.diagnosis.gapped).to.deep.include({ events: behind.length, examples: [started.stream] });
    const lines = (await readFile(lostEvents(), 'utf8')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).to.deep.equal(behind);
    // The process has begun the workflow by a command, which it sends again.
    await budapp.working(log, () => budapp.heard(log, 'WorkflowCallAnswered', 2));
    await fitsTheLog();
  });

  it('refuses to overwrite an earlier file of lost events', async () => {
    await history();
    await double.loseTail(8);
    await healed({ accept_loss: true });
    await budapp.working(log, () => budapp.upload(log, 'more'));
    await double.loseTail(2);
    const before = await budapp.state();
    expect(await failureOf(healed({ accept_loss: true }))).to.include({ code: 'EEXIST' });
    expect(await budapp.state()).to.deep.equal(before);
  });

  it('performs again what was done and whose outcome the log has lost', async () => {
    const { events } = await history();
    const answered = events.findLastIndex(({ type }) => type === 'WorkflowCallAnswered');
    await double.loseTail(events.length - answered);
    const result = await healed({ accept_loss: true });
    expect(result.outcome === 'done' && result.taken.work.reopened).to.be.greaterThan(0);
    const asked = service.asked.length;
    await budapp.working(log, () => budapp.heard(log, 'WorkflowCallAnswered', 2));
    expect(service.asked.length).to.be.greaterThan(asked);
    await fitsTheLog();
  });

  it('has what runs and the log knows nothing of removed from its cluster', async () => {
    await history();
    const workflow_id = fresh(WorkflowId);
    const endpoint_id = fresh(EndpointId);
    const kept = fresh(EndpointId);
    const facts = (endpoint_id: EndpointId, namespace: string): Fact[] => [
      {
        type: 'EndpointPlaced',
        data: {
          ...{ endpoint_id, workflow_id, cluster_id: fresh(ClusterId), cluster_name: 'home', bud_cluster_id: 'theirs' },
          ...{ simulator_id: 's', reasons: [], candidates: [], deadline: '2030-01-01T00:00:00.000Z' },
        },
      },
      {
        type: 'EndpointDeployed',
        data: {
          ...{ endpoint_id, workflow_id, url: 'http://there', namespace, supported_endpoints: [] },
          replicas: { total: 1, available: 1, failed: 0, pending: 0 },
          ingress_healthy: true,
          workers: [],
        },
      },
    ];
    await budapp.working(log, async () => {
      const begun = await startEndpoint(log, { endpoint_id: kept });
      await begun.append(...facts(kept, 'kept'));
    });
    const before = (await eventsIn(log)).length;
    await budapp.working(log, async () => {
      const lost = await startEndpoint(log, { endpoint_id });
      await lost.append(...facts(endpoint_id, 'orphaned'));
    });
    await double.loseTail((await eventsIn(log)).length - before);
    const result = await healed({ accept_loss: true });
    expect(result.outcome === 'done' && result.taken.orphans.map(({ namespace }) => namespace)).to.deep.equal([
      'orphaned',
    ]);
    const removals = () => service.asked.filter(({ path }) => path === '/deployment/delete');
    await budapp.working(log, () => eventually('it is removed', () => removals().length > 0));
    expect(removals().map(({ body }) => JSON.parse(body))).to.deep.include.members([
      { ...JSON.parse(removals()[0]?.body ?? ''), cluster_id: 'theirs', namespace: 'orphaned' },
    ]);
    expect(removals().filter(({ body }) => body.includes('"kept"'))).to.deep.equal([]);
  });

  it('tells what had not reached the audit, and goes on without it', async () => {
    const { events } = await history();
    await pool.query(
      'delete from audit_log where position in (select position from audit_log order by position desc limit 2)',
    );
    await pool.query(`update projections set position = $1 where name = 'audit_log'`, [events.at(-3)?.position]);
    await double.loseTail(5);
    const { unrecoverable, missing } = await diagnosisOf();
    expect(missing.events).to.equal(3);
    const { stream } = events.at(-1) as RecordedEvent;
    expect(unrecoverable.streams.concat(unrecoverable.instances).join()).to.include(
      stream.slice(stream.indexOf('-') + 1),
    );
    expect(unrecoverable.checkpoints).to.include('processes');
    expect(await healed()).to.include({ outcome: 'done', appended: 3 });
    await budapp.working(log, () => budapp.heard(log, 'WorkflowCallAnswered', 2));
    await fitsTheLog();
  });
});
