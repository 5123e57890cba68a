import { expect } from 'chai';
import pg from 'pg';
import { logLostConnections, surviveLostConnections } from '../../../src/adapters/postgres/connection.ts';
import { createPostgresSocket } from '../../../src/adapters/postgres/socket.ts';
import { problemOf } from '../../../src/api/http/problem.ts';
import { createLogger } from '../../../src/telemetry.ts';
import { failureOf } from '../../failure-of.ts';
import { type TestDatabase, testDatabase } from '../../postgres.ts';
import { type FreezableProxy, startFreezableProxy } from '../../systems/harness/freezable-proxy.ts';

const SILENCE_MS = 2000;

/** What a caller of the API gets for it. */
const answerTo = (error: unknown): string => {
  const { status, headers } = problemOf(error, 'a-request');
  return `${status} ${headers['Retry-After']}`;
};

describe('the sockets of a pool of connections to Postgres', () => {
  let database: TestDatabase;
  let proxy: FreezableProxy;
  let pool: pg.Pool;

  before(async () => {
    database = await testDatabase();
    const url = new URL(database.connection_string);
    proxy = await startFreezableProxy(url.host);
    url.host = proxy.address;
    const stream = () => createPostgresSocket({ silence_ms: SILENCE_MS });
    pool = new pg.Pool({ connectionString: url.href, max: 2, stream });
    surviveLostConnections(pool);
  });
  after(async () => {
    await pool.end();
    await proxy.close();
    await database.close();
  });

  it('close a connection without an answer, and the pool opens new ones', async () => {
    await pool.query('select 1');
    proxy.freeze();
    const failures = await Promise.all(Array.from({ length: 4 }, () => failureOf(pool.query('select 1'))));
    expect(failures.map(answerTo)).to.deep.equal(Array(4).fill('503 5'));
    proxy.thaw();
    proxy.cut();
    expect((await pool.query('select 1 as one')).rows).to.deep.equal([{ one: 1 }]);
  });

  it('say of a connection that was just closed that the failure may pass', async () => {
    const failing = failureOf(pool.query('select pg_sleep(60)'));
    await pool.query('select 1');
    proxy.cut();
    expect(answerTo(await failing)).to.equal('503 5');
  });

  it('that are lost are logged once per outage, and its end once', async () => {
    const lines: { level: string }[] = [];
    const { promise: told, resolve } = Promise.withResolvers<void>();
    const write = (line: string) => {
      lines.push(JSON.parse(line));
      resolve();
    };
    logLostConnections(pool, createLogger({ level: 'info', destination: { write } }));
    await Promise.all(Array.from({ length: 2 }, () => pool.query('select pg_sleep(0.1)')));
    // Not `once` of node:events, which rejects at an error.
    const bothGone = new Promise<void>((done) => pool.on('remove', () => pool.totalCount === 0 && done()));
    proxy.cut();
    await Promise.all([told, bothGone]);
    await pool.query('select 1');
    expect(lines.map(({ level }) => level)).to.deep.equal(['warn', 'info']);
  });

  it('let a connection be ended in order', async () => {
    const lost: Error[] = [];
    pool.on('error', (error) => lost.push(error));
    const client = await pool.connect();
    client.release(true);
    await pool.query('select 1');
    expect(lost).to.deep.equal([]);
  });
});
