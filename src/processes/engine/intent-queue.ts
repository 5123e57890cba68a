import type { ClientBase, Pool } from 'pg';
import { type EventId, TenantId, type WorkflowId } from '../../events/ids.ts';
import type { Effect } from '../process.ts';

/** What every command that follows from an event carries on. */
export interface IntentMeta {
  correlation_id: string;
  traceparent?: string | undefined;
}

/** A reaction's n-th intent; the same event makes the same ones again, and they are kept once. */
export interface NewIntent {
  process: string;
  instance_id: string;
  tenant_id: TenantId;
  workflow_id: WorkflowId | null;
  event_id: EventId;
  n: number;
  intent: Effect;
  meta: IntentMeta;
  /** Null: after a number of attempts. */
  give_up_at: string | null;
}

/** An intent that this dispatcher, and no other, works on until its claim runs out. */
export interface ClaimedIntent extends NewIntent {
  id: string;
  /** Earlier attempts that failed. */
  attempts: number;
  last_error: string | null;
  /** True: its time is over. No further attempt is to be made. */
  expired: boolean;
}

type Queryable = Pick<Pool, 'query'>;

export const addIntents = async (client: ClientBase, intents: readonly NewIntent[]): Promise<void> => {
  if (intents.length === 0) return;
  await client.query(
    `insert into process_intents
       (process, instance_id, tenant_id, workflow_id, event_id, n, lane, intent, meta, give_up_at)
     select process, instance_id, tenant_id, workflow_id, event_id, n, 'deeds', intent, meta, give_up_at
     from jsonb_to_recordset($1::jsonb) as i (process text, instance_id uuid, tenant_id uuid, workflow_id uuid,
       event_id uuid, n integer, intent jsonb, meta jsonb, give_up_at timestamptz)
     order by n
     on conflict (process, event_id, n) do nothing`,
    [JSON.stringify(intents)],
  );
};

/**
 * Ends the retries of calls that were asked for earlier: each is given up at once, and says so. One that is being performed
 * at this moment may end, and says what came of it; so every call has an answer or a failure.
 */
export const abandonCalls = async (
  client: ClientBase,
  { process, instance_id }: { process: string; instance_id: string },
): Promise<void> => {
  await client.query(
    `update process_intents set give_up_at = now(), due_at = least(due_at, now())
     where process = $1 and instance_id = $2 and done_at is null and intent ->> 'kind' in ('call', 'lookup-clusters')`,
    [process, instance_id],
  );
};

/**
 * Claims intents that are due and whose predecessors of the same instance and lane are done. Two dispatchers never get the
 * same one, and a claim that is not renewed runs out: its holder is dead or cut off, and somebody else goes on.
 */
export const claimIntents = async (
  client: Queryable,
  { owner, limit, claim_ms }: { owner: string; limit: number; claim_ms: number },
): Promise<ClaimedIntent[]> => {
  const { rows } = await client.query<ClaimedIntent>(
    `update process_intents i
     set claimed_by = $1, claimed_until = now() + $3 * interval '1 ms'
     from (
       select c.id from process_intents c
       where c.done_at is null and c.due_at <= now() and (c.claimed_until is null or c.claimed_until <= now())
         and not exists (
           select from process_intents e
           where e.process = c.process and e.instance_id = c.instance_id and e.lane = c.lane
             and e.id < c.id and e.done_at is null
         )
       order by c.due_at, c.id
       limit $2
       for update skip locked
     ) due
     where i.id = due.id
     returning i.id::text, i.process, i.instance_id, i.tenant_id, i.workflow_id, i.event_id, i.n, i.intent, i.meta,
       i.give_up_at::text, i.attempts, i.last_error, coalesce(i.give_up_at <= now(), false) as expired`,
    [owner, limit, claim_ms],
  );
  return rows.map((row) => ({ ...row, tenant_id: TenantId.parse(row.tenant_id) }));
};

export const renewClaims = async (
  client: Queryable,
  { owner, ids, claim_ms }: { owner: string; ids: readonly string[]; claim_ms: number },
): Promise<void> => {
  await client.query(
    `update process_intents set claimed_until = now() + $3 * interval '1 ms'
     where id = any($2::bigint[]) and claimed_by = $1 and done_at is null`,
    [owner, ids, claim_ms],
  );
};

/** Ends an intent. Whoever ends it a second time (after a claim ran out) changes nothing. */
export const finishIntent = async (client: Queryable, id: string, outcome: string): Promise<void> => {
  await client.query(
    `update process_intents set done_at = now(), outcome = $2, attempts = attempts + 1, claimed_until = null
     where id = $1 and done_at is null`,
    [id, outcome],
  );
};

/** Another attempt in `delay_ms`, or at the latest when its time is over: to be told that nothing came of it. */
export const postponeIntent = async (
  client: Queryable,
  id: string,
  { error, delay_ms }: { error: string; delay_ms: number },
): Promise<void> => {
  await client.query(
    `update process_intents set attempts = attempts + 1, last_error = $2, claimed_by = null, claimed_until = null,
       due_at = least(now() + $3 * interval '1 ms', greatest(give_up_at, now()))
     where id = $1 and done_at is null`,
    [id, error, delay_ms],
  );
};

/** Gives claims back that were not worked on to the end, so that nobody has to wait until they run out. */
export const releaseClaims = async (client: Queryable, owner: string): Promise<void> => {
  await client.query(
    `update process_intents set claimed_by = null, claimed_until = null where claimed_by = $1 and done_at is null`,
    [owner],
  );
};

/** How much there is to do, and how much of it has failed before. */
export const countOpenIntents = async (client: Queryable): Promise<{ open: number; retrying: number }> => {
  const { rows } = await client.query<{ open: number; retrying: number }>(
    `select count(*)::integer as open, (count(*) filter (where attempts > 0))::integer as retrying
     from process_intents where done_at is null`,
  );
  return rows[0] ?? { open: 0, retrying: 0 };
};

/** For a start that knows that it is alone on this database: what a crash left claimed is free at once. */
export const releaseAllClaims = async (pool: Pool): Promise<void> => {
  await pool.query('update process_intents set claimed_by = null, claimed_until = null where done_at is null');
};
