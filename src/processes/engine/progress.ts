import type { Pool } from 'pg';
import type { ProcessProgress } from '../../ports/process-operations.ts';

/** The name of the reader in `process_checkpoints`. */
export const READER = 'processes';

/** Reads the progress of the process managers, whichever process of the system runs them. */
export const readProgress = async (pool: Pool): Promise<ProcessProgress> => {
  const { rows } = await pool.query<Omit<ProcessProgress, 'updated_at'> & { updated_at: Date | null }>(
    `select c.position, c.updated_at, i.open, i.retrying, i.parked_intents, p.parked
     from (select count(*)::integer as open, (count(*) filter (where attempts > 0 and parked_at is null))::integer as retrying,
             (count(*) filter (where parked_at is not null))::integer as parked_intents
           from process_intents where done_at is null) i
     cross join (select count(*)::integer as parked from process_instances where parked_at is not null) p
     left join process_checkpoints c on c.reader = $1`,
    [READER],
  );
  const [row] = rows;
  if (!row) throw new Error('an aggregate has one row');
  return { ...row, updated_at: row.updated_at?.toISOString() ?? null };
};
