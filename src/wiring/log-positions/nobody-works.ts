import type { ClientBase } from 'pg';
import { MoveRefused } from './move-refused.ts';

/** The application name of connections of `budapp log copy` and `heal`, which tells them from those of a running BudApp. */
export const LOG_APPLICATION = 'budapp-log-copy';

/** Throws `MoveRefused` while any process of BudApp is connected to the database. */
export const assertNobodyWorks = async (client: ClientBase): Promise<void> => {
  const { rows } = await client.query<{ application_name: string; count: string }>(
    `select application_name, count(*) from pg_stat_activity
     where datname = current_database() and application_name like 'budapp%' and application_name <> $1
     group by application_name order by application_name`,
    [LOG_APPLICATION],
  );
  if (rows.length === 0) return;
  const who = rows.map(({ application_name, count }) => `${application_name} (${count} connections)`).join(', ');
  throw new MoveRefused(`BudApp is still at work on this database: ${who}.`, 'Stop all of its processes first.');
};
