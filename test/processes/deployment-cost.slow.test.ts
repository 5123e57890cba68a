import { expect } from 'chai';
import pg from 'pg';
import { eventually } from '../eventually.ts';
import { testDatabase } from '../postgres.ts';
import { openManyDeployments } from './many-deployments.ts';
import { watchEndings } from './watch-endings.ts';

const each = { cpu_millis: 1, memory_mib: 1 };
const capacity = { cpu_millis: 1_000_000, memory_mib: 1_000_000 };
/** Not the timers: they are looked through once a poll, however many deployments there are. */
const TABLES = ['log_events', 'process_intents', 'process_instances'];

/** What the server has counted, once all others have left the database: a connection reports the rest when it ends. */
const counted = async (connectionString: string) => {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await eventually('all others have left', async () => {
      const { rows } = await client.query(
        `select from pg_stat_activity
         where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`,
      );
      return rows.length === 0;
    });
    const { rows } = await client.query<{ read: number; written: number }>(
      `select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::integer as read,
         sum(n_tup_ins + n_tup_upd + n_tup_del)::integer as written
       from pg_stat_user_tables where relname = any($1)`,
      [TABLES],
    );
    const [row] = rows;
    if (!row) throw new Error('an aggregate has one row');
    return row;
  } finally {
    await client.end();
  }
};

/** Rows read and written for each deployment, with that many at once. */
const costOf = async (deployments: number, inFlight: number) => {
  const database = await testDatabase();
  try {
    const many = await openManyDeployments({ connection_string: database.connection_string, capacity });
    const endings = await watchEndings(many);
    let next = 0;
    const caller = async (): Promise<void> => {
      while (next < deployments) await endings.until(await many.deploy(`endpoint-${next++}`, { each }));
    };
    await Promise.all(Array.from({ length: inFlight }, caller));
    await endings.close();
    await many.close();
    expect(endings.failures).to.be.empty;
    const { read, written } = await counted(database.connection_string);
    return { read: read / deployments, written: written / deployments };
  } finally {
    await database.close();
  }
};

describe('the cost of a deployment', () => {
  it('is about the same in rows, whether 5 or 150 are under way', async () => {
    const few = await costOf(25, 5);
    const many = await costOf(150, 150);
    expect(many.read).to.be.at.most(2 * few.read);
    expect(many.written).to.be.at.most(1.2 * few.written);
  });
});
