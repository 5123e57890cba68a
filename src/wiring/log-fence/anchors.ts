import type { ClientBase, Pool } from 'pg';
import { z } from 'zod';
import { Position } from '../../events/event.ts';
import { EventId } from '../../events/ids.ts';
import type { Anchor } from '../../ports/log-fence.ts';

/*
 * The events that the database knows to be in the log. They are in:
 *
 *     projections, projection_builds, process_checkpoints   `position` with `event_id`
 *     audit_log                                             the newest events, of different streams
 *     log_anchors                                           what a process missed in the log, until it is healed
 *
 * Whoever moves positions in the first ones sets `event_id`, or leaves it to the tables' triggers, which empty it.
 */

type Client = { query: (ClientBase | Pool)['query'] };

const Row = z.object({
  position: Position,
  event_id: EventId.nullable(),
  stream: z.string().nullable(),
});

/** How many streams' newest events are taken from the audit, and among how many of its newest rows they are looked for. */
const STREAMS = 5;
const NEWEST = 500;

const ANCHORS = `
  select position, event_id, null as stream from projections where position is not null
  union select position, event_id, null from projection_builds where position is not null
  union select position, event_id, null from process_checkpoints
  union select position, event_id, stream from log_anchors
  union (
    select position, event_id, stream from (
      select distinct on (stream) position, event_id, stream
      from (select position, event_id, stream from audit_log order by position desc limit $2) as newest
      order by stream, position desc
    ) as of_streams order by position desc limit $1
  )
  order by position`;

/** What must stand in the log for this database to belong to it; empty where nothing was read yet. */
export const readAnchors = async (client: Client): Promise<Anchor[]> => {
  const { rows } = await client.query(ANCHORS, [STREAMS, NEWEST]);
  return z.array(Row).parse(rows);
};

/** Keeps anchors until `forgetKeptAnchors`: the log stays fenced while it does not have them. */
export const keepAnchors = async (client: Client, anchors: readonly Anchor[]): Promise<void> => {
  const known = anchors.filter(({ event_id, stream }) => event_id !== null && stream !== null);
  await client.query(
    `insert into log_anchors (position, event_id, stream)
     select * from unnest($1::text[], $2::uuid[], $3::text[]) on conflict do nothing`,
    [known.map(({ position }) => position), known.map(({ event_id }) => event_id), known.map(({ stream }) => stream)],
  );
};

/** To be called in the transaction that moves all positions to where the same events stand now, or gives them up. */
export const forgetKeptAnchors = async (client: Client): Promise<void> => {
  await client.query('delete from log_anchors');
};
