import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { Pool } from 'pg';
import { createPostgresLog } from '../../../src/adapters/postgres/log.ts';
import { postgresLogIdentity } from '../../../src/adapters/postgres/log-import.ts';
import type { Position, RecordedEvent } from '../../../src/events/event.ts';
import type { Log, LogImport } from '../../../src/ports/log.ts';
import { readModelCatalog } from '../../../src/projections/catalog.ts';
import { compareLogs, copyLog } from '../../../src/wiring/log-copy/log-copy.ts';
import { cutOver } from '../../../src/wiring/log-copy/log-cut-over.ts';
import { assertSameLog } from '../../../src/wiring/log-identity.ts';
import { MoveRefused } from '../../../src/wiring/log-positions/move-refused.ts';
import { collect, isEvent } from '../../contract/log.ts';
import { failureOf } from '../../failure-of.ts';
import { openPool } from '../../pool.ts';
import { type TestDatabase, testDatabase } from '../../postgres.ts';
import { openServiceDouble, type ServiceDouble } from '../../processes/service-double.ts';
import { openInstallation } from '../installation.ts';
import { createRespelledLog } from './respelled-log.ts';

const compare = async () => undefined;

describe('cutting over to another log', () => {
  let database: TestDatabase;
  let service: ServiceDouble;
  let pool: Pool;
  let closePool: () => Promise<void>;
  let budapp: ReturnType<typeof openInstallation>;
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
    budapp = openInstallation({ pool, service });
    await assertSameLog({ pool, compare, log: from, log_id: from_id });
  });
  afterEach(async () => {
    await from.close();
    await to.close();
    await service.close();
    await closePool();
    await database.close();
  });

  const move = (reset = false) =>
    cutOver({
      ...{ pool, from_id, to_id, reset },
      compare: (onPair) => compareLogs({ from, to }, onPair),
      head: () => from.head(),
    });

  /** A model whose onboarding waits for the model service, copied. */
  const halfWay = async () => {
    let model = { workflow_id: '', model_id: '' };
    await budapp.working(from, async () => {
      model = await budapp.upload(from, 'halfway');
      await budapp.heard(from, 'WorkflowCallAnswered');
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

    await budapp.working(to, async () => {
      await budapp.answerExtraction(to, model.workflow_id);
      await budapp.heard(to, 'ModelMetadataRecorded');
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
    await budapp.working(to);
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
          await budapp.upload(from, 'meanwhile');
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
