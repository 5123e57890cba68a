import type { ClientBase } from 'pg';
import type { Position } from '../../events/event.ts';

const PAIRS_A_STATEMENT = 5000;

/** A temporary table with each event's position before and after. It is dropped with the connection. */
export const createPositionMap = async (client: ClientBase): Promise<void> => {
  await client.query(`
    create temporary table position_map (
      before text collate "C" primary key,
      after text collate "C" not null
    )`);
};

/** Writes pairs of positions, many with one statement. */
export const createMapWriter = (client: ClientBase) => {
  let before: Position[] = [];
  let after: Position[] = [];
  const flush = async (): Promise<void> => {
    await client.query('insert into position_map (before, after) select * from unnest($1::text[], $2::text[])', [
      before,
      after,
    ]);
    before = [];
    after = [];
  };
  return {
    flush,
    add: async (from: Position, to: Position): Promise<void> => {
      before.push(from);
      after.push(to);
      if (before.length >= PAIRS_A_STATEMENT) await flush();
    },
  };
};
