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

export const setTimers = async (client: ClientBase, timers: readonly NewTimer[]): Promise<void> => {
  if (timers.length === 0) return;
  await client.query(
    `insert into process_timers (process, instance_id, timer, tenant_id, event_id, n, meta, due_at)
     select process, instance_id, timer, tenant_id, event_id, n, meta, due_at
     from jsonb_to_recordset($1::jsonb) as t (process text, instance_id uuid, timer text, tenant_id uuid, event_id uuid,
       n integer, meta jsonb, due_at timestamptz)
     on conflict (process, instance_id, timer) do update
       set event_id = excluded.event_id, n = excluded.n, meta = excluded.meta, due_at = excluded.due_at`,
    [toStorableJson(timers)],
  );
};

/** Drops single timers. */
export const dropTimers = async (
  client: ClientBase,
  timers: readonly (InstanceKey & { timer: string })[],
): Promise<void> => {
  if (timers.length === 0) return;
  await client.query(
    `delete from process_timers t
     using jsonb_to_recordset($1::jsonb) as d (process text, instance_id uuid, timer text)
     where t.process = d.process and t.instance_id = d.instance_id and t.timer = d.timer`,
    [toStorableJson(timers)],
  );
};

/** Drops every timer of these instances. */
export const dropAllTimers = async (client: ClientBase, instances: readonly InstanceKey[]): Promise<void> => {
  if (instances.length === 0) return;
  await client.query(
    `delete from process_timers t
     using jsonb_to_recordset($1::jsonb) as d (process text, instance_id uuid)
     where t.process = d.process and t.instance_id = d.instance_id`,
    [toStorableJson(instances)],
  );
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
