import type { ClientBase } from 'pg';
import type { RecordedEvent } from '../../events/event.ts';
import { commandIdOf } from '../../events/ids.ts';
import type { InstanceKey } from '../../processes/engine/instance-key.ts';
import { nameOf } from '../../processes/engine/instance-reaction.ts';
import { createRefold } from '../../processes/engine/refold.ts';
import type { Process } from '../../processes/process.ts';

/*
 * What processes remember of events that the log does not have any more. `position_map` and `audit_now` are the
 * connection's: see `compare-audit.ts`.
 */

/** The parts under which the dispatcher sends the commands of an intent (`processes/engine/perform.ts`). */
const PARTS = ['', ':answer', ':failure', ':refusal'];

/** Instances that have taken in an event which the log does not have. */
const FIND_AHEAD = `
  select process, instance_id, workflow_id from process_instances i
  left join position_map m on m.before = i.position
  where i.position is not null and m.before is null`;

/** More was read than the audit has: what it was is not known. */
const ANY_BEYOND = `
  (select max(position) from (select position from projections union all select position from process_checkpoints) as c)
    > (select position from projections where name = 'audit_log')
  and (select max(position) from process_checkpoints) > (select max(before) from position_map)`;

/** The time from which on something is lost that the audit did not have; null: there is no such thing. */
const UNKNOWN_SINCE = `
  select least(case when ${ANY_BEYOND} then max(at) end, min(at) filter (where fate = 'gapped')) from audit_now`;

/** False for the id of an event that the log has, or from which it was removed on purpose. */
const IS_LOST = `
  not exists (select from log_now l where l.id = w.event_id)
  and not exists (select from audit_now a where a.event_id = w.event_id and a.fate = 'removed')`;

/** Forgets what the processes remember of lost events: intents that are not done, timers, events that wait. */
const forgetLost = async (client: ClientBase): Promise<void> => {
  await client.query('create index if not exists log_now_id on log_now (id)');
  await client.query(
    `update process_intents w set done_at = now(), outcome = 'lost with its event', claimed_by = null, claimed_until = null
     where done_at is null and ${IS_LOST}`,
  );
  await client.query(`delete from process_timers w where ${IS_LOST}`);
  await client.query(
    `delete from process_parked_events e
     where not exists (select from position_map m where m.before = e.position)`,
  );
  await client.query(
    `update process_instances i set parked_at = null, park_error = null, park_attempts = 0, park_retry_at = null,
       park_from_newer_version = false
     where parked_at is not null and not exists (select from process_parked_events e
       where e.process = i.process and e.instance_id = i.instance_id)`,
  );
};

interface DoneIntent extends InstanceKey {
  id: string;
  event_id: string;
  n: number;
}

/** The ids of the commands with which the dispatcher may have recorded what came of an intent. */
const commandsOf = ({ process, event_id, n }: DoneIntent): string[] =>
  PARTS.map((part) => commandIdOf(`${process}:${event_id}:${n}${part}`));

const commandsIn = async (client: ClientBase, condition: string): Promise<ReadonlySet<string>> => {
  const { rows } = await client.query<{ command_id: string }>(
    `select distinct command_id from audit_now where ${condition}`,
  );
  return new Set(rows.map(({ command_id }) => command_id));
};

/**
 * Performs again what was done and whose outcome is lost: the command ids are the same, so what the log still has is not
 * done a second time, and the services know the calls by their keys. Where something is lost that the audit did not have,
 * nobody knows what: all is performed again that was done since, and of which no outcome is left.
 */
const reopenIntents = async (
  client: ClientBase,
  { isLost, ahead }: { isLost: string; ahead: readonly InstanceKey[] },
): Promise<number> => {
  const lost = await commandsIn(client, isLost);
  const left = await commandsIn(client, `not (${isLost})`);
  const keys = new Set(ahead.map(nameOf));
  const { rows } = await client.query<DoneIntent & { recent: boolean }>(
    `select id::text, process, instance_id, event_id, n,
       coalesce(done_at > (${UNKNOWN_SINCE}) - interval '1 minute', false) as recent
     from process_intents w
     where done_at is not null and not (${IS_LOST})`,
  );
  const again = rows.filter((intent) => {
    const commands = commandsOf(intent);
    if (commands.some((id) => lost.has(id))) return true;
    return (intent.recent || keys.has(nameOf(intent))) && !commands.some((id) => left.has(id));
  });
  await client.query(
    `update process_intents set done_at = null, outcome = null, attempts = 0, due_at = now(), parked_at = null,
       skipped = false, claimed_by = null, claimed_until = null
     where id = any($1::bigint[])`,
    [again.map(({ id }) => id)],
  );
  return again.length;
};

export interface LostWork {
  /** Instances that were folded anew, and those of which no fact is left. */
  refolded: number;
  gone: number;
  /** Commands and calls that are performed again, since their outcome is lost. */
  reopened: number;
  /** To be called once the positions are moved, with every event up to the checkpoint of the processes. */
  refold(events: AsyncIterable<RecordedEvent>): Promise<void>;
}

/**
 * Takes lost events out of what the processes remember, inside the caller's transaction and before it moves positions.
 * `isLost` is the condition on `audit_now` for events that are not appended again.
 */
export const settleLostWork = async (
  client: ClientBase,
  { processes, isLost }: { processes: readonly Process[]; isLost: string },
): Promise<LostWork> => {
  const { rows: ahead } = await client.query<InstanceKey & { workflow_id: string | null }>(FIND_AHEAD);
  await forgetLost(client);
  const ids = ahead.flatMap(({ process, instance_id, workflow_id }) =>
    [instance_id, workflow_id].flatMap((id) => (id === null ? [] : [{ process, id }])),
  );
  await client.query(
    `delete from process_timers t using unnest($1::text[], $2::uuid[]) as a (process, id)
     where t.process = a.process and t.instance_id = a.id`,
    [ids.map(({ process }) => process), ids.map(({ id }) => id)],
  );
  await client.query(
    `delete from process_instances t using unnest($1::text[], $2::uuid[]) as a (process, id)
     where t.process = a.process and t.instance_id = a.id`,
    [ahead.map(({ process }) => process), ahead.map(({ instance_id }) => instance_id)],
  );
  const work: LostWork = {
    refolded: 0,
    gone: ahead.length,
    reopened: await reopenIntents(client, { isLost, ahead }),
    async refold(events) {
      if (ahead.length === 0) return;
      const refold = createRefold(processes, ahead);
      for await (const event of events) refold.take(event);
      work.refolded = await refold.write(client);
      work.gone = ahead.length - work.refolded;
    },
  };
  return work;
};
