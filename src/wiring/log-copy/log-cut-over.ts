import type { ClientBase, Pool } from 'pg';
import type { Position } from '../../events/event.ts';
import { adoptLog, moveProcesses, moveReadModels, resetReadModels } from '../log-positions/move-positions.ts';
import { MoveRefused } from '../log-positions/move-refused.ts';
import { assertNobodyWorks } from '../log-positions/nobody-works.ts';
import { createMapWriter, createPositionMap } from '../log-positions/position-map.ts';
import type { Comparison } from './log-copy.ts';

export interface CutOverOptions {
  /** The database of checkpoints, read models and process state. */
  pool: Pool;
  /** Ids of the logs. */
  from_id: string;
  to_id: string;
  /**
   * true: empties the read models, which are then built from the start. The state of processes is moved in any case.
   */
  reset: boolean;
  /** Reads both logs side by side, and reports the positions of each event in both. */
  compare(onPair: (from: Position, to: Position) => Promise<void>): Promise<Comparison>;
  /** The end of the source. It is read last, to notice whether anybody appended meanwhile. */
  head(): Promise<Position | null>;
}

const assertKnows = async (client: ClientBase, { from_id, to_id }: CutOverOptions): Promise<void> => {
  const { rows } = await client.query<{ log_id: string }>('select log_id from checkpoint_log for update');
  const log_id = rows[0]?.log_id;
  if (log_id === undefined || log_id === from_id) return;
  // The same cut-over was done before, and is asked for again.
  if (log_id === to_id)
    throw new MoveRefused('this installation goes on with --to already.', 'Set EVENTSTORE_URL accordingly.');
  throw new MoveRefused(
    "this database's checkpoints belong to another log than --from.",
    'Name the log that BudApp has worked with until now.',
  );
};

const cutOverOn = async (client: ClientBase, options: CutOverOptions): Promise<Comparison> => {
  await createPositionMap(client);
  const map = createMapWriter(client);
  const comparison = await options.compare(map.add);
  await map.flush();
  await client.query('analyze position_map');
  await client.query('begin');
  // An append to this database's own log waits for this transaction, or is noticed by the check below.
  await client.query("select pg_advisory_xact_lock(hashtextextended('log_events', 0))");
  await assertKnows(client, options);
  if (options.reset) await resetReadModels(client);
  else await moveReadModels(client);
  await moveProcesses(client);
  await adoptLog(client, options.to_id);
  if ((await options.head()) !== comparison.from)
    throw new MoveRefused('the source has new events by now.', 'Stop all processes of BudApp, then start again.');
  await assertNobodyWorks(client);
  await client.query('commit');
  return comparison;
};

/**
 * Moves the database to another log with the same history. One transaction replaces all positions by those of the same
 * events in the new log. Throws `MoveRefused`, or what `compare` throws; nothing is changed then.
 */
export const cutOver = async (options: CutOverOptions): Promise<Comparison> => {
  const client = await options.pool.connect();
  try {
    await assertNobodyWorks(client);
    return await cutOverOn(client, options);
  } finally {
    // Closes the connection, and with it an open transaction and the temporary table.
    client.release(true);
  }
};
