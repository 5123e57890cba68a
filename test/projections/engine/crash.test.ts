import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { createPostgresLog } from '../../../src/adapters/postgres/log.ts';
import { EndpointId } from '../../../src/events/ids.ts';
import type { Log } from '../../../src/ports/log.ts';
import { endpoints } from '../../../src/projections/endpoints.ts';
import { eventually } from '../../eventually.ts';
import { openPool } from '../../pool.ts';
import { type TestDatabase, testDatabase } from '../../postgres.ts';
import { reported, type Started, startEndpoint } from '../facts.ts';

const WRITER = fileURLToPath(new URL('crash-writer.ts', import.meta.url));
const ENDPOINTS = 20;
const REPORTS = 100;

describe('a projection runner that is killed', () => {
  let database: TestDatabase;
  let log: Log;
  let opened: ReturnType<typeof openPool>;
  const children: ChildProcess[] = [];

  const startWriter = (): ChildProcess => {
    const child = spawn(process.execPath, [WRITER, database.connection_string], { stdio: 'ignore' });
    children.push(child);
    return child;
  };

  const written = async (): Promise<number> =>
    (await opened.pool.query('select count(*)::int as n from audit_log')).rows[0].n;

  before(async () => {
    database = await testDatabase();
    log = await createPostgresLog({ connectionString: database.connection_string });
    opened = openPool(database.connection_string, 2);
  });

  after(async () => {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await log.close();
    await opened.close();
    await database.close();
  });

  it('is taken over by another one, with every event in every row exactly once', async () => {
    const started: Started[] = [];
    for (let n = 0; n < ENDPOINTS; n += 1) started.push(await startEndpoint(log));
    for (let n = 0; n < REPORTS; n += 1) {
      await Promise.all(started.map(({ id, append }) => append(reported(EndpointId.parse(id), n))));
    }
    const total = ENDPOINTS * (REPORTS + 1);
    // Killed three times on the way, each time somewhere in a batch.
    for (const part of [0.1, 0.4, 0.7]) {
      const writer = startWriter();
      await eventually('a part is written', async () => expect(await written()).to.be.above(total * part), {
        longestPauseMs: 2,
      });
      writer.kill('SIGKILL');
      await once(writer, 'exit');
    }
    startWriter();
    await eventually('all is written', async () => expect(await written()).to.be.at.least(total));
    const head = await log.head();
    await eventually('the head is read', async () => {
      const { rows } = await opened.pool.query('select position from projections where name = $1', [endpoints.name]);
      return expect(rows[0]?.position).to.equal(head);
    });
    const { rows } = await opened.pool.query('select revision, observed from endpoints');
    expect(rows).to.have.length(ENDPOINTS);
    for (const row of rows) {
      expect(row.revision).to.equal(REPORTS);
      expect(row.observed.replicas.available).to.equal(REPORTS - 1);
    }
    const doubled = await opened.pool.query('select 1 from audit_log group by event_id having count(*) > 1');
    expect(doubled.rows).to.deep.equal([]);
    expect(await written()).to.equal(total);
    expect((await opened.pool.query('select 1 from parked_events')).rows).to.deep.equal([]);
  });
});
