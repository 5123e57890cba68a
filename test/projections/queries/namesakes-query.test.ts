import { expect } from 'chai';
import { pino } from 'pino';
import { createMemoryLog } from '../../../src/adapters/memory-log.ts';
import { TenantId } from '../../../src/events/ids.ts';
import type { Log } from '../../../src/ports/log.ts';
import { createProjectionRunner, type ProjectionRunner } from '../../../src/projections/engine/runner.ts';
import { createFindNamesakes } from '../../../src/projections/queries/namesakes-query.ts';
import { createReadModels } from '../../../src/projections/queries/read.ts';
import { createReadPool, type ReadPool } from '../../../src/projections/queries/read-pool.ts';
import { openPool } from '../../pool.ts';
import { type TestDatabase, testDatabase } from '../../postgres.ts';
import { fresh, startProject, TENANT } from '../facts.ts';

describe('namesakes', () => {
  let database: TestDatabase;
  let opened: ReturnType<typeof openPool>;
  let readPool: ReadPool;
  let log: Log;
  let runner: ProjectionRunner;
  let asked: number;
  let counted: ReadPool;

  const shown = async (): Promise<void> => {
    const head = await log.head();
    if (head) await createReadModels({ pool: readPool }).waitFor(['projects'], head, { timeout_ms: 60_000 });
  };

  beforeEach(async () => {
    database = await testDatabase();
    opened = openPool(database.connection_string, 6);
    readPool = await createReadPool(database.connection_string);
    log = createMemoryLog();
    runner = createProjectionRunner({ log, pool: opened.pool, owner: 'one', logger: pino({ level: 'silent' }) });
    asked = 0;
    const count = <T>(rows: T): T => {
      asked += 1;
      return rows;
    };
    counted = {
      ...readPool,
      any: (query) => count(readPool.any(query)),
      maybeOne: (query) => count(readPool.maybeOne(query)),
    };
  });

  afterEach(async () => {
    await runner.close();
    await log.close();
    await readPool.end();
    await opened.close();
    await database.close();
  });

  it('are those whose name has the same key now, and had another one', async () => {
    const { id } = await startProject(log, { name: 'Straße' });
    await startProject(log, { name: 'STRASSE' });
    await shown();
    const find = createFindNamesakes(readPool);
    expect(await find({ kind: 'project', name: 'strasse' }, TENANT)).to.deep.equal([id]);
    expect(await find({ kind: 'project', name: 'Weg' }, TENANT)).to.deep.equal([]);
    expect(await find({ kind: 'model', name: 'strasse' }, TENANT)).to.deep.equal([]);
    expect(await find({ kind: 'project', name: 'strasse' }, fresh(TenantId))).to.deep.equal([]);
  });

  it('cost no query for each name where all names are ASCII', async () => {
    for (let n = 0; n < 5; n += 1) await startProject(log, { name: `Vision ${n}` });
    await shown();
    const find = createFindNamesakes(counted);
    const names = Array.from({ length: 100 }, (_, n) => `vision ${n}`);
    for (const name of names) expect(await find({ kind: 'project', name }, TENANT)).to.deep.equal([]);
    // One a second: more than one only where this loop takes longer.
    expect(asked).to.be.lessThan(names.length / 2);
  });

  it('are looked for again after a query has failed', async () => {
    await startProject(log, { name: 'Straße' });
    await shown();
    let isAway = true;
    const find = createFindNamesakes({
      ...readPool,
      maybeOne: (query) => (isAway ? Promise.reject(new Error('away')) : readPool.maybeOne(query)),
    });
    const claim = { kind: 'project', name: 'strasse' } as const;
    expect(await find(claim, TENANT).catch(String)).to.equal('Error: away');
    isAway = false;
    expect(await find(claim, TENANT)).to.have.length(1);
  });
});
