import { expect } from 'chai';
import { sql } from 'slonik';
import { z } from 'zod';
import { problemOf } from '../../../src/api/http/problem.ts';
import { createReadPool, type ReadPool } from '../../../src/projections/queries/read-pool.ts';
import { failureOf } from '../../failure-of.ts';
import { type TestDatabase, testDatabase } from '../../postgres.ts';
import { startExpiredPostgres } from '../../systems/harness/expired-servers.ts';
import { type FreezableProxy, startFreezableProxy } from '../../systems/harness/freezable-proxy.ts';

const one = sql.type(z.object({ one: z.int() }))`select 1 as one`;
const sleeping = sql.type(z.object({ slept: z.string() }))`select pg_sleep(60)::text as slept`;

/** What a caller of the API gets for it. */
const answerTo = (error: unknown): string => {
  const { status, headers } = problemOf(error, 'a-request');
  return `${status} ${headers['Retry-After']}`;
};

describe('the pool that read models are read from', () => {
  let database: TestDatabase;
  let proxy: FreezableProxy;
  let pool: ReadPool;

  before(async () => {
    database = await testDatabase();
    const { hostname, port } = new URL(database.connection_string);
    proxy = await startFreezableProxy(`${hostname}:${port}`);
    const url = new URL(database.connection_string);
    url.host = proxy.address;
    pool = await createReadPool(url.href, { max: 2, timeout_ms: 2000 });
  });
  after(async () => {
    await pool.end();
    await proxy.close();
    await database.close();
  });

  it('treats a server that does not answer as unavailable, also for waiting reads, and recovers afterwards', async () => {
    await pool.any(one);
    proxy.freeze();
    const failures = await Promise.all(Array.from({ length: 5 }, () => failureOf(pool.maybeOne(one))));
    expect(failures.map(answerTo)).to.deep.equal(Array(5).fill('503 5'));
    proxy.thaw();
    proxy.cut();
    expect(await pool.any(one)).to.deep.equal([{ one: 1 }]);
  });

  it('takes a connection that was cut in the middle of a read for an outage, and not for a mistake', async () => {
    const failing = failureOf(pool.maybeOne(sleeping));
    await pool.any(one);
    proxy.cut();
    expect(answerTo(await failing)).to.equal('503 5');
  });

  it('speaks TLS where the address says so, and checks the certificate', async () => {
    const server = await startExpiredPostgres();
    try {
      const failure = await failureOf(createReadPool(`postgres://a:b@127.0.0.1:${server.port}/c?sslmode=verify-full`));
      expect(failure).to.have.property('code').that.is.oneOf(['DEPTH_ZERO_SELF_SIGNED_CERT', 'CERT_HAS_EXPIRED']);
    } finally {
      await server.close();
    }
  });
});
