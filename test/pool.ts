import { Pool } from 'pg';
import { surviveLostConnections } from '../src/adapters/postgres/connection.ts';

export interface OpenedPool {
  pool: Pool;
  close(): Promise<void>;
}

/** A pool whose `close` waits until the server, too, has let go: a database can then be dropped without cutting it off. */
export const openPool = (connectionString: string, max = 4): OpenedPool => {
  const pool = new Pool({ connectionString, max });
  surviveLostConnections(pool);
  const ended: Promise<void>[] = [];
  pool.on('connect', (client) => {
    ended.push(new Promise((resolve) => client.once('end', () => resolve())));
  });
  const close = async () => {
    await pool.end();
    await Promise.all(ended);
  };
  return { pool, close };
};
