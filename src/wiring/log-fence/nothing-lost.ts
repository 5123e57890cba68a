import type { Pool } from 'pg';
import type { Log } from '../../ports/log.ts';
import { MoveRefused } from '../log-positions/move-refused.ts';
import { readAnchors } from './anchors.ts';
import { compareWithLog } from './compare-anchors.ts';

export interface NothingLostOptions {
  /** The database of checkpoints, read models and process state. */
  pool: Pool;
  log: Pick<Log, 'eventAt'>;
  log_id: string;
}

/**
 * Throws `MoveRefused` where the database belongs to this log and has read events that the log does not have any more: after
 * a cut-over they would be in neither.
 */
export const assertNothingLost = async ({ pool, log, log_id }: NothingLostOptions): Promise<void> => {
  const { rowCount } = await pool.query('select from checkpoint_log where log_id = $1', [log_id]);
  if (rowCount === 0) return;
  const difference = await compareWithLog(await readAnchors(pool), log);
  if (!difference) return;
  const { position } = difference.newest;
  throw new MoveRefused(
    `the log does not have the event that was read at ${position}: it was restored from an older backup.`,
    'Make it whole first, with "budapp log heal", or restore a newer backup of it.',
  );
};
