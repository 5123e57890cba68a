import type { ClientBase, Pool } from 'pg';
import type { EventId, TenantId } from '../../events/ids.ts';
import { toStorableJson } from '../../storable-text.ts';
import type { InstanceKey } from './instance-key.ts';
import type { IntentMeta } from './intent-queue.ts';

/** A timer of one instance. Setting a timer of the same name replaces it. */
export interface NewTimer extends InstanceKey {
  timer: string;
  tenant_id: TenantId;
  event_id: EventId;
  n: number;
  meta: IntentMeta;
  due_at: string;
}

export const setTimer = async (client: ClientBase, timer: NewTimer): Promise<void> => {
  await client.query(
    `insert into process_timers (process, instance_id, timer, tenant_id, event_id, n, meta, due_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8)
     on conflict (process, instance_id, timer) do update
       set event_id = excluded.event_id, n = excluded.n, meta = excluded.meta, due_at = excluded.due_at`,
    [
      timer.process,
      timer.instance_id,
      timer.timer,
      timer.tenant_id,
      timer.event_id,
      timer.n,
      toStorableJson(timer.meta),
      timer.due_at,
    ],
  );
};

export const dropTimer = async (client: ClientBase, key: InstanceKey, timer: string) => {
  await client.query('delete from process_timers where process = $1 and instance_id = $2 and timer = $3', [
    key.process,
    key.instance_id,
    timer,
  ]);
};

export const dropTimers = async (client: ClientBase, key: InstanceKey) => {
  await client.query('delete from process_timers where process = $1 and instance_id = $2', [
    key.process,
    key.instance_id,
  ]);
};

/**
 * Turns each timer that is due into an intent, which records it in the workflow. This is one statement, so a timer fires
 * once, however many dispatchers run. The intent takes the key (event, n) of the timer, which no other intent has.
 */
export const fireDueTimers = async (client: Pick<Pool, 'query'>): Promise<number> => {
  const { rowCount } = await client.query(
    `with due as (
       delete from process_timers t
       where (t.process, t.instance_id, t.timer) in (
         select process, instance_id, timer from process_timers
         where due_at <= now() order by due_at limit 100 for update skip locked
       )
       returning t.*
     )
     insert into process_intents (process, instance_id, tenant_id, workflow_id, event_id, n, lane, intent, meta)
     select process, instance_id, tenant_id, instance_id, event_id, n, 'timers',
       jsonb_build_object('kind', 'command', 'command', 'FireWorkflowTimer',
         'data', jsonb_build_object('workflow_id', instance_id, 'timer', timer)),
       meta
     from due
     on conflict (process, event_id, n) do nothing`,
  );
  return rowCount ?? 0;
};
