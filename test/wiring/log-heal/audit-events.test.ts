import { readdir, readFile } from 'node:fs/promises';
import { expect } from 'chai';
import type { Pool } from 'pg';
import { pino } from 'pino';
import { createMemoryLog } from '../../../src/adapters/memory-log.ts';
import type { Fact } from '../../../src/events/catalog.ts';
import type { NewEvent, RecordedEvent } from '../../../src/events/event.ts';
import { ProjectId } from '../../../src/events/ids.ts';
import type { Log } from '../../../src/ports/log.ts';
import { auditLog } from '../../../src/projections/audit-log.ts';
import { createProjectionRunner } from '../../../src/projections/engine/runner.ts';
import { RowNotWhole, readAuditEvents } from '../../../src/wiring/log-heal/audit-events.ts';
import { collect, isEvent } from '../../contract/log.ts';
import { eventually } from '../../eventually.ts';
import { failureOf } from '../../failure-of.ts';
import { openPool } from '../../pool.ts';
import { type TestDatabase, testDatabase } from '../../postgres.ts';
import { anEvent, fresh, OWNER, startProject } from '../../projections/facts.ts';

const renamed: Fact = { type: 'ProjectRenamed', data: { project_id: fresh(ProjectId), name: 'x', previous_name: 'y' } };
const FIXTURES = new URL('../../events/fixtures/', import.meta.url);

const fixtures = async (): Promise<Pick<NewEvent, 'type' | 'version' | 'data'>[]> =>
  Promise.all(
    (await readdir(FIXTURES)).map(async (file) => JSON.parse(await readFile(new URL(file, FIXTURES), 'utf8'))),
  );

/** An event of newer code, which has recorded what this version does not know. */
const fromNewerVersion = (event: NewEvent): NewEvent => {
  const actor = { ...event.meta.actor, on_behalf_of: OWNER };
  const meta = {
    ...event.meta,
    actor,
    region: 'eu',
    request_id: 'r-1',
    request_hash: 'f'.repeat(64),
    traceparent: '00-1-2-01',
  };
  return {
    ...event,
    type: 'ProjectPainted',
    version: 7,
    meta,
    data: { colour: ['ü', 1e21, 0.1, null, { '2': 1, '1': 2 }] },
  };
};

describe('the audit', () => {
  let database: TestDatabase;
  let pool: Pool;
  let close: () => Promise<void>;
  let log: Log;

  before(async () => {
    database = await testDatabase();
    ({ pool, close } = openPool(database.connection_string, 8));
    log = createMemoryLog();
    const project = await startProject(log);
    const known = anEvent(renamed);
    const events = (await fixtures()).map((fact, n) => ({
      ...anEvent(renamed),
      ...fact,
      n,
    }));
    for (const { n, ...event } of events) await log.append(`name-${n % 7}`, [event], { expected: 'any' });
    await log.append(project.stream, [fromNewerVersion(known)], { expected: 'any' });
    const runner = createProjectionRunner({
      ...{ log, pool, owner: 'one', projections: [auditLog] },
      logger: pino({ level: 'silent' }),
    });
    const head = await log.head();
    await eventually('the audit shows all', async () => {
      const { rows } = await pool.query('select max(position) as position from audit_log');
      return rows[0]?.position === head;
    });
    await runner.close();
  });
  after(async () => {
    await log.close();
    await close();
    await database.close();
  });

  const inAudit = () => collect(readAuditEvents(pool, '(select position from audit_log)'));

  it('holds every event whole, also what only newer code knows', async () => {
    const inLog: RecordedEvent[] = (await collect(log.subscribe({ after: 'start', live: false }))).filter(isEvent);
    expect(inLog).to.have.length.greaterThan(60);
    expect(await inAudit()).to.deep.equal(inLog);
  });

  it('makes up nothing for a row that the release before wrote', async () => {
    await pool.query('update audit_log set rest = null where revision = 0');
    expect(await failureOf(inAudit())).to.be.instanceOf(RowNotWhole);
  });
});
