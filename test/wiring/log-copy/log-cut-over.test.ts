import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { Pool } from 'pg';
import { pino } from 'pino';
import { createHttpInvoker } from '../../../src/adapters/http-invoker.ts';
import { createPostgresLog } from '../../../src/adapters/postgres/log.ts';
import { postgresLogIdentity } from '../../../src/adapters/postgres/log-import.ts';
import { createVault } from '../../../src/adapters/postgres/vault.ts';
import { createCommandHandler } from '../../../src/commands/engine/handle.ts';
import { uploadLocalModel } from '../../../src/commands/model/upload-local-model.ts';
import { recordServiceMessage } from '../../../src/commands/workflow/internal/record-service-message.ts';
import type { Position, RecordedEvent } from '../../../src/events/event.ts';
import { CommandId, newId, TenantId, UserId } from '../../../src/events/ids.ts';
import type { Log, LogImport } from '../../../src/ports/log.ts';
import { createProcesses } from '../../../src/processes/catalog.ts';
import { createProcessRunner } from '../../../src/processes/engine/runner.ts';
import { readModelCatalog } from '../../../src/projections/catalog.ts';
import { createProjectionRunner } from '../../../src/projections/engine/runner.ts';
import { compareLogs, copyLog } from '../../../src/wiring/log-copy/log-copy.ts';
import { cutOver } from '../../../src/wiring/log-copy/log-cut-over.ts';
import { assertSameLog } from '../../../src/wiring/log-identity.ts';
import { MoveRefused } from '../../../src/wiring/log-positions/move-refused.ts';
import { collect, isEvent } from '../../contract/log.ts';
import { eventually } from '../../eventually.ts';
import { failureOf } from '../../failure-of.ts';
import { openPool } from '../../pool.ts';
import { type TestDatabase, testDatabase } from '../../postgres.ts';
import { openServiceDouble, type ServiceDouble } from '../../processes/service-double.ts';
import { createRespelledLog } from './respelled-log.ts';

const tenant_id = newId(TenantId);
const user_id = newId(UserId);
const logger = pino({ level: 'silent' });

const compare = async () => undefined;

describe('cutting over to another log', () => {
  let database: TestDatabase;
  let service: ServiceDouble;
  let pool: Pool;
  let closePool: () => Promise<void>;
  let from: Log;
  let from_id: string;
  let to: Log & LogImport;
  const to_id = randomUUID();

  beforeEach(async () => {
    database = await testDatabase();
    service = await openServiceDouble();
    ({ pool, close: closePool } = openPool(database.connection_string, 16));
    from = await createPostgresLog({ pool });
    from_id = await postgresLogIdentity(pool);
    to = createRespelledLog();
    await assertSameLog({ pool, compare, log: from, log_id: from_id });
  });
  afterEach(async () => {
    await from.close();
    await to.close();
    await service.close();
    await closePool();
    await database.close();
  });

  const handlerOn = (log: Log) =>
    createCommandHandler({
      log,
      vault: createVault({ pool, master_key: Buffer.alloc(32, 7) }),
      clock: () => new Date().toISOString(),
      findLiveEndpoints: async () => [],
    });

  /** Read models and processes over a log, until `done`. */
  const working = async (log: Log, done: () => Promise<unknown>): Promise<void> => {
    const owner = randomUUID();
    const projections = createProjectionRunner({ log, pool, owner, logger, lease_ttl_ms: 1000 });
    const processes = createProcessRunner({
      ...{ log, pool, owner, logger },
      handle: handlerOn(log),
      vault: createVault({ pool, master_key: Buffer.alloc(32, 7) }),
      processes: createProcesses({ objectUri: (key) => `file:///objects/${key}`, placement_seconds: 120 }),
      invoker: createHttpInvoker({ urls: { budmodel: service.url, budsim: service.url, budcluster: service.url } }),
      objects: { remove: async () => undefined },
      findClustersByBudId: async () => [],
      poll_ms: 20,
    });
    try {
      await done();
      await caughtUp(log);
    } finally {
      await projections.close();
      await processes.close();
    }
  };

  const caughtUp = (log: Log): Promise<unknown> =>
    eventually('the log is read to its end', async () => {
      const head = await log.head();
      const { rows } = await pool.query<{ position: Position | null }>(
        `select position from projections union all
         select (select position from process_checkpoints where reader = 'processes')`,
      );
      return expect(rows.map(({ position }) => position)).to.deep.equal(rows.map(() => head));
    });

  const upload = async (log: Log, name: string) => {
    const command_id = newId(CommandId);
    const object_key = `models/${tenant_id}/${command_id}/${name}.onnx`;
    const artefact = { object_key, file_name: `${name}.onnx`, size_bytes: 5, sha256: 'a'.repeat(64) };
    const access = { role: 'admin' as const, scopes: new Set<never>(), projects: new Map() };
    const caller = { tenant_id, actor: { type: 'user' as const, id: user_id, name: 'x' }, access, user_id };
    const options = { caller, command_id, correlation_id: command_id };
    const { state } = await handlerOn(log)(uploadLocalModel, { name, artefact }, options);
    return state as { workflow_id: string; model_id: string };
  };

  const answerExtraction = async (log: Log, workflow_id: string) => {
    const actor = { type: 'service' as const, id: 'budmodel', name: 'budmodel' };
    const message = { message_id: 'm1', message_type: 'perform_model_extraction', status: 'COMPLETED' };
    const result = { model_info: { architecture: { num_params: 7 } }, local_path: '/x' };
    await handlerOn(log)(
      recordServiceMessage,
      { workflow_id, ...message, message_event: 'results', result },
      {
        caller: { tenant_id, actor, access: 'system', user_id: null },
        command_id: newId(CommandId),
        correlation_id: newId(CommandId),
      },
    );
  };

  const heard = async (log: Log, type: string): Promise<void> => {
    for await (const item of log.subscribe({ after: 'start', live: true }))
      if (isEvent(item) && item.type === type) return;
  };

  const move = (reset = false) =>
    cutOver({
      ...{ pool, from_id, to_id, reset },
      compare: (onPair) => compareLogs({ from, to }, onPair),
      head: () => from.head(),
    });

  /** A model whose onboarding waits for the model service, copied. */
  const halfWay = async () => {
    let model = { workflow_id: '', model_id: '' };
    await working(from, async () => {
      model = await upload(from, 'halfway');
      await heard(from, 'WorkflowCallAnswered');
    });
    await copyLog({ from, to, batch: 100 });
    return model;
  };

  const stateOf = async () => {
    const query = async (text: string) => (await pool.query(text)).rows;
    return {
      projections: await query('select name, position from projections order by name'),
      audit: await query('select position, event_id from audit_log order by position'),
      models: await query('select * from models'),
      instances: await query(
        'select process, instance_id, state, position, ended_at from process_instances order by 1, 2',
      ),
      checkpoint: await query('select position from process_checkpoints'),
      log: await query('select log_id from checkpoint_log'),
    };
  };

  it('continues in the middle of a workflow: nothing is requested again, and it ends', async () => {
    const model = await halfWay();
    const askedBefore = service.asked.length;
    expect(askedBefore).to.be.greaterThan(0);
    await move();
    await assertSameLog({ pool, compare, log: to, log_id: to_id });

    await working(to, async () => {
      await answerExtraction(to, model.workflow_id);
      await heard(to, 'ModelMetadataRecorded');
    });
    const again = service.asked.slice(askedBefore).filter(({ path }) => path === '/model-info/extract');
    expect(again).to.deep.equal([]);
    const { rows } = await pool.query('select position from models where id = $1', [model.model_id]);
    expect(rows[0]?.position).to.match(/^m-/);
  });

  it('moves every position to that of the same event', async () => {
    await halfWay();
    const before = await stateOf();
    await move();
    const after = await stateOf();
    const positions = new Map<string, Position>();
    for (const event of (await collect(to.subscribe({ after: 'start', live: false }))).filter(isEvent))
      positions.set(event.id, event.position);
    expect(after.audit).to.have.length(positions.size);
    for (const { event_id, position } of after.audit) expect(position).to.equal(positions.get(event_id));
    const head = await to.head();
    expect(after.projections.map(({ position }) => position)).to.deep.equal(before.projections.map(() => head));
    expect(after.checkpoint).to.deep.equal([{ position: head }]);
    expect(after.instances.map(({ position, ...rest }) => rest)).to.deep.equal(
      before.instances.map(({ position, ...rest }) => rest),
    );
    expect(after.instances.every(({ position }) => position.startsWith('m-'))).to.equal(true);
    expect(after.log).to.deep.equal([{ log_id: to_id }]);
  });

  it('moves what is parked and what is being built, too', async () => {
    const { workflow_id } = await halfWay();
    const [event] = (await collect(from.subscribe({ after: 'start', live: false }))).filter(
      (item) => isEvent(item) && item.type === 'WorkflowStarted',
    ) as RecordedEvent[];
    const parked = [workflow_id, event!.position, JSON.stringify(event)];
    await pool.query(
      `insert into process_parked_events (process, instance_id, position, event)
       select process, instance_id, $2, $3 from process_instances where instance_id = $1`,
      parked,
    );
    await pool.query(
      `insert into parked_events
         (projection, stream, tenant_id, position, revision, event_id, event_type, error, attempts)
       select 'workflows', stream, tenant_id, position, revision, event_id, event_type, 'x', 1
       from audit_log where event_id = $1`,
      [event!.id],
    );
    await pool.query('create table models__v9 (like models including all)');
    await pool.query('insert into models__v9 select * from models');
    await pool.query(`insert into projection_builds (name, version, generation, position)
      select name, 9, 2, position from projections where name = 'models'`);
    await move();

    const moved = (await collect(to.readStream(event!.stream))).find(({ id }) => id === event!.id);
    const { rows } = await pool.query(`select position, event ->> 'position' as inside from process_parked_events`);
    expect(rows).to.deep.equal([{ position: moved!.position, inside: moved!.position }]);
    expect((await pool.query('select position from parked_events')).rows).to.deep.equal([
      { position: moved!.position },
    ]);
    const built = await pool.query('select position from models__v9');
    expect(built.rows).to.deep.equal((await pool.query('select position from models')).rows);
    const { rows: builds } = await pool.query('select position from projection_builds');
    expect(builds).to.deep.equal([{ position: await to.head() }]);
  });

  it('knows every table that holds a position', async () => {
    const { rows } = await pool.query(
      `select table_name from information_schema.columns
       where table_schema = 'public' and column_name = 'position' order by table_name`,
    );
    const known = [
      ...readModelCatalog.map(({ name }) => name),
      'parked_events',
      'projections',
      'projection_builds',
      'log_anchors',
    ];
    const processes = ['process_instances', 'process_parked_events', 'process_checkpoints'];
    expect(rows.map(({ table_name }) => table_name)).to.have.members([...known, ...processes, 'log_events']);
  });

  it('goes back again by the same way', async () => {
    await halfWay();
    const before = await stateOf();
    await move();
    await cutOver({
      ...{ pool, from_id: to_id, to_id: from_id, reset: false },
      compare: (onPair) => compareLogs({ from: to, to: from }, onPair),
      head: () => to.head(),
    });
    expect(await stateOf()).to.deep.equal(before);
  });

  it('builds read models anew where that is asked for, and still moves what processes remember', async () => {
    await halfWay();
    const before = await stateOf();
    await move(true);
    const emptied = await stateOf();
    expect(emptied.audit).to.deep.equal([]);
    expect(emptied.checkpoint).to.deep.equal([{ position: await to.head() }]);
    await working(to, async () => undefined);
    const rebuilt = await stateOf();
    expect(rebuilt.audit.map(({ event_id }) => event_id)).to.deep.equal(before.audit.map(({ event_id }) => event_id));
    expect(rebuilt.models.map(({ position, ...row }) => row)).to.deep.equal(
      before.models.map(({ position, ...row }) => row),
    );
  });

  it('refuses while BudApp is at work on the database, and changes nothing', async () => {
    await halfWay();
    const before = await stateOf();
    const running = await createPostgresLog({ connectionString: database.connection_string });
    expect(await failureOf(move()))
      .to.be.instanceOf(MoveRefused)
      .and.have.property('message')
      .that.includes('budapp-log');
    await running.close();
    expect(await stateOf()).to.deep.equal(before);
  });

  it('refuses where the source has grown since it was compared, and changes nothing', async () => {
    await halfWay();
    const before = await stateOf();
    const failure = await failureOf(
      cutOver({
        ...{ pool, from_id, to_id, reset: false },
        compare: async (onPair) => {
          const comparison = await compareLogs({ from, to }, onPair);
          await upload(from, 'meanwhile');
          return comparison;
        },
        head: () => from.head(),
      }),
    );
    expect(failure).to.be.instanceOf(MoveRefused).and.have.property('message').that.includes('new events');
    expect(await stateOf()).to.deep.equal(before);
  });

  it('refuses where the database belongs to a third log', async () => {
    await halfWay();
    await pool.query('update checkpoint_log set log_id = $1', [randomUUID()]);
    expect(await failureOf(move())).to.be.instanceOf(MoveRefused);
  });
});
