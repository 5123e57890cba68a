import type { ClientBase, Pool } from 'pg';
import { type EventId, TenantId, type WorkflowId } from '../../events/ids.ts';
import { toStorableJson } from '../../storable-text.ts';
import type { Effect } from '../process.ts';
import type { InstanceKey } from './instance-key.ts';
import { nameOf } from './instance-reaction.ts';

/** The part of an event's metadata that the commands which follow from it carry. */
export interface IntentMeta {
  correlation_id: string;
  traceparent?: string | undefined;
}

/** The n-th intent of a reaction. A replayed event makes the same intents, and each is stored once. */
export interface NewIntent extends InstanceKey {
  tenant_id: TenantId;
  workflow_id: WorkflowId | null;
  event_id: EventId;
  n: number;
  intent: Effect;
  meta: IntentMeta;
  /** Null: the intent is given up after a number of attempts, not at a time. */
  give_up_at: string | null;
}

/** An intent that only this dispatcher performs, until the claim runs out. */
export interface ClaimedIntent extends NewIntent {
  id: string;
  lane: string;
  /** The number of earlier attempts, which all failed. */
  attempts: number;
  last_error: string | null;
  /** True: `give_up_at` has passed, so no further attempt may be made. */
  expired: boolean;
  /** True: an operator has skipped it. */
  skipped: boolean;
}

/** Adds the error $2. The last 10 are kept, for the operator who finds the intent parked. */
const FAILURES_WITH_ERROR = `failures = (case when jsonb_array_length(failures) < 10 then failures else failures - 0 end)
         || jsonb_build_object('at', now(), 'error', $2::text)`;

/** A command has no time of its own after which it is given up. Parked, it waits this long for an operator. */
const PARKED_HOURS = 24;

type Queryable = Pick<Pool, 'query'>;

/** Intents of one lane of one instance are performed one after the other. */
export interface Lane extends InstanceKey {
  lane: string;
}

/** The first open intent of a lane. A subquery and not a join, which a plan may answer from all open intents at once. */
const firstOf = (row: string, lane = `${row}.lane`): string =>
  `(select e.id from process_intents e
          where e.process = ${row}.process and e.instance_id = ${row}.instance_id and e.lane = ${lane}
            and e.done_at is null
          order by e.id limit 1)`;

/**
 * Stores intents. Those of one instance are performed in this order. Returns the instances where an earlier intent was
 * open: `markFirst` is due for them after the commit, since that one may end meanwhile, and whoever ends it may not see
 * these.
 */
export const addIntents = async (client: ClientBase, intents: readonly NewIntent[]): Promise<InstanceKey[]> => {
  if (intents.length === 0) return [];
  const { rows } = await client.query<InstanceKey & { is_first: boolean }>(
    `insert into process_intents
       (process, instance_id, tenant_id, workflow_id, event_id, n, lane, intent, meta, give_up_at, is_first)
     select process, instance_id, tenant_id, workflow_id, event_id, n, lane, intent, meta, give_up_at,
       ${firstOf('i')} is null and row_number() over (partition by process, instance_id order by place) = 1
     from (
       select *, 'deeds' as lane
       from jsonb_to_recordset($1::jsonb) as r (process text, instance_id uuid, tenant_id uuid, workflow_id uuid,
         event_id uuid, n integer, intent jsonb, meta jsonb, give_up_at timestamptz, place integer)
     ) i
     order by place
     on conflict (process, event_id, n) do nothing
     returning process, instance_id, is_first`,
    [toStorableJson(intents.map((intent, place) => ({ ...intent, place })))],
  );
  const started = new Set(rows.filter(({ is_first }) => is_first).map(nameOf));
  return rows.filter((row) => !started.has(nameOf(row)));
};

/** Marks the first intents of these instances, so that they can be claimed. */
export const markFirst = async (client: Queryable, instances: readonly InstanceKey[]): Promise<void> => {
  if (instances.length === 0) return;
  await client.query(
    `update process_intents i set is_first = true
     from (
       select c.id from process_intents c
       where c.id = any(array(select ${firstOf('k', "'deeds'")} from unnest($1::text[], $2::uuid[]) as k (process, instance_id)))
         and c.done_at is null and not c.is_first and (c.claimed_until is null or c.claimed_until <= now())
       for update skip locked
     ) first
     where i.id = first.id`,
    [instances.map(({ process: name }) => name), instances.map(({ instance_id }) => instance_id)],
  );
};

/** The same for all instances: finds what a dispatcher that died had claimed, and what older code left. */
export const markAllFirst = async (client: Queryable): Promise<void> => {
  await client.query(
    `update process_intents i set is_first = true
     from (
       select c.id from process_intents c
       where not c.is_first and c.done_at is null and (c.claimed_until is null or c.claimed_until <= now())
         and c.id = ${firstOf('c')}
       for update skip locked
     ) first
     where i.id = first.id`,
  );
};

/**
 * Ends the retries of the instance's calls: each call is given up at once, which is recorded as a failure. A call that is
 * being performed may still end, and records its answer. So every call has either an answer or a failure. A parked command
 * is given up, too: what follows must not wait for an operator.
 */
export const abandonCalls = async (client: ClientBase, key: InstanceKey): Promise<void> => {
  await client.query(
    `update process_intents set give_up_at = now(), due_at = least(due_at, now())
     where process = $1 and instance_id = $2 and done_at is null
       and (intent ->> 'kind' in ('call', 'lookup-clusters') or parked_at is not null)`,
    [key.process, key.instance_id],
  );
};

/**
 * Claims intents that are due and whose predecessors of the same instance and lane are done: the next ones of `ended`, the
 * lanes in which this dispatcher has just ended an intent, and others that are first in their lane. Two dispatchers never
 * claim the same intent. A claim that its holder does not renew runs out, and another dispatcher takes the intent over.
 */
export const claimIntents = async (
  client: Queryable,
  { owner, limit, claim_ms, ended }: { owner: string; limit: number; claim_ms: number; ended: readonly Lane[] },
): Promise<ClaimedIntent[]> => {
  const { rows } = await client.query<ClaimedIntent>(
    `select id::text, process, instance_id, lane, tenant_id, workflow_id, event_id, n, intent, meta, give_up_at::text,
       attempts, last_error, coalesce(give_up_at <= now(), false) as expired, skipped
     from claim_intents($1, $2, $3, $4, $5, $6)`,
    [
      owner,
      limit,
      claim_ms,
      ended.map(({ process: name }) => name),
      ended.map(({ instance_id }) => instance_id),
      ended.map(({ lane }) => lane),
    ],
  );
  return rows.map((row) => ({ ...row, tenant_id: TenantId.parse(row.tenant_id) }));
};

/** Passes over an intent that is being ended: waiting for it, with others in hand, may be a deadlock. */
export const renewClaims = async (
  client: Queryable,
  { owner, ids, claim_ms }: { owner: string; ids: readonly string[]; claim_ms: number },
): Promise<void> => {
  await client.query(
    `update process_intents i set claimed_until = now() + $3 * interval '1 ms'
     from (
       select id from process_intents
       where id = any($2::bigint[]) and claimed_by = $1 and done_at is null
       for update skip locked
     ) held
     where i.id = held.id`,
    [owner, ids, claim_ms],
  );
};

/** Ends intents. Ending one again, which happens after a claim ran out, changes nothing. */
export const finishIntents = async (
  client: Queryable,
  finished: readonly { id: string; outcome: string }[],
): Promise<void> => {
  await client.query(
    `update process_intents i set done_at = now(), outcome = f.outcome, attempts = attempts + 1, claimed_until = null
     from unnest($1::bigint[], $2::text[]) as f (id, outcome)
     where i.id = f.id and i.done_at is null`,
    [finished.map(({ id }) => id), finished.map(({ outcome }) => outcome)],
  );
};

/** Schedules the next attempt in `delay_ms`, or at `give_up_at` if that is earlier: the intent is given up then. */
export const postponeIntent = async (
  client: Queryable,
  id: string,
  { error, delay_ms }: { error: string; delay_ms: number },
): Promise<void> => {
  await client.query(
    `update process_intents set attempts = attempts + 1, last_error = $2, claimed_by = null, claimed_until = null,
       is_first = true, ${FAILURES_WITH_ERROR}, due_at = least(now() + $3 * interval '1 ms', greatest(give_up_at, now()))
     where id = $1 and done_at is null`,
    [id, error, delay_ms],
  );
};

/** Parks an intent after its last attempt: no dispatcher attempts it again. At `give_up_at` it is given up. */
export const parkIntent = async (client: Queryable, id: string, error: string): Promise<void> => {
  await client.query(
    `update process_intents set attempts = attempts + 1, last_error = $2, claimed_by = null, claimed_until = null,
       is_first = true, ${FAILURES_WITH_ERROR}, parked_at = now(), give_up_at = coalesce(give_up_at, now() + $3 * interval '1 hour'),
       due_at = coalesce(give_up_at, now() + $3 * interval '1 hour')
     where id = $1 and done_at is null`,
    [id, error, PARKED_HOURS],
  );
};

/** Releases the claims of a dispatcher that closes, so that others need not wait until they run out. */
export const releaseClaims = async (client: Queryable, owner: string): Promise<void> => {
  await client.query(
    `update process_intents set claimed_by = null, claimed_until = null, is_first = true
     where claimed_by = $1 and done_at is null`,
    [owner],
  );
};

/** Frees at once what a crash left claimed. Only for a start that is alone on this database. */
export const releaseAllClaims = async (pool: Pool): Promise<void> => {
  await pool.query(
    `update process_intents set claimed_by = null, claimed_until = null, is_first = true
     where claimed_by is not null and done_at is null`,
  );
};
