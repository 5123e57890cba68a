import type { ClientBase } from 'pg';
import type { Position, RecordedEvent } from '../../events/event.ts';
import type { EventId, TenantId, WorkflowId } from '../../events/ids.ts';
import type { ParkedInstance, ParkedInstanceKey } from '../../ports/process-operations.ts';
import { CheckpointMoved } from '../../projections/engine/checkpoint.ts';
import { toStorableJson } from '../../storable-text.ts';
import type { InstanceKey } from './instance-key.ts';

/** The state of a process manager for one workflow or thing, and the position up to which it has read. */
export interface Instance extends InstanceKey {
  tenant_id: TenantId;
  /** The workflow that a keyed instance follows, for the delivery of its events; null where `instance_id` suffices. */
  workflow_id: WorkflowId | null;
  /** As it is stored; the process manager's own schema parses it. */
  state: unknown;
  position: Position | null;
  ended: boolean;
  parked: boolean;
}

interface InstanceRow extends Omit<Instance, 'ended' | 'parked'> {
  ended_at: Date | null;
  parked_at: Date | null;
}

const COLUMNS = 'process, instance_id, workflow_id, tenant_id, state, position, ended_at, parked_at';

const toInstance = ({ ended_at, parked_at, ...row }: InstanceRow): Instance => ({
  ...row,
  ended: ended_at !== null,
  parked: parked_at !== null,
});

/**
 * The instances with these ids, and those that follow workflows with these ids. Locks the rows until the transaction ends,
 * so that the reader and a retry never work on one instance at once.
 */
export const loadInstances = async (client: ClientBase, ids: readonly string[]): Promise<Instance[]> => {
  if (ids.length === 0) return [];
  const { rows } = await client.query<InstanceRow>(
    `select ${COLUMNS} from process_instances where instance_id = any($1::uuid[]) or workflow_id = any($1::uuid[])
     order by process, instance_id for update`,
    [ids],
  );
  return rows.map(toInstance);
};

export const loadInstance = async (client: ClientBase, key: InstanceKey): Promise<Instance | null> => {
  const { rows } = await client.query<InstanceRow>(
    `select ${COLUMNS} from process_instances where process = $1 and instance_id = $2 for update`,
    [key.process, key.instance_id],
  );
  return rows[0] ? toInstance(rows[0]) : null;
};

export const saveInstances = async (client: ClientBase, instances: readonly Instance[]): Promise<void> => {
  if (instances.length === 0) return;
  await client.query(
    `insert into process_instances (process, instance_id, workflow_id, tenant_id, state, position, ended_at)
     select process, instance_id, workflow_id, tenant_id, state, position, case when ended then now() end
     from jsonb_to_recordset($1::jsonb) as i (process text, instance_id uuid, workflow_id uuid, tenant_id uuid,
       state jsonb, position text, ended boolean)
     on conflict (process, instance_id) do update
       set workflow_id = excluded.workflow_id, state = excluded.state, position = excluded.position,
         ended_at = coalesce(process_instances.ended_at, excluded.ended_at)`,
    [toStorableJson(instances)],
  );
};

/** Seconds until a parked instance is retried after attempt 1, 2, ...; null: only on request. */
const RETRY_SECONDS: readonly (number | null)[] = [1, 5, 30, 120, null];

/** Why an instance is parked. */
export interface ParkCause {
  error: string;
  /** True: only newer code can read the event that is in the way. */
  from_newer_version: boolean;
}

/** Parks an instance, or parks it again after a retry that failed. */
export const parkInstance = async (
  client: ClientBase,
  key: InstanceKey,
  { error, from_newer_version }: ParkCause,
): Promise<void> => {
  await client.query(
    `update process_instances set parked_at = coalesce(parked_at, now()), park_error = $3,
       park_attempts = park_attempts + 1, park_from_newer_version = $5,
       park_retry_at = now() + ($4::integer[])[least(park_attempts + 1, cardinality($4::integer[]))] * interval '1 s'
     where process = $1 and instance_id = $2`,
    [key.process, key.instance_id, error, RETRY_SECONDS, from_newer_version],
  );
};

export const unparkInstance = async (client: ClientBase, key: InstanceKey): Promise<void> => {
  await client.query(
    `update process_instances set parked_at = null, park_error = null, park_attempts = 0, park_retry_at = null,
       park_from_newer_version = false
     where process = $1 and instance_id = $2`,
    [key.process, key.instance_id],
  );
};

export const addParkedEvent = async (client: ClientBase, key: InstanceKey, event: RecordedEvent): Promise<void> => {
  await client.query(
    `insert into process_parked_events (process, instance_id, position, event) values ($1, $2, $3, $4)
     on conflict do nothing`,
    [key.process, key.instance_id, event.position, toStorableJson(event)],
  );
};

/** The events that wait for a parked instance, in log order. */
export const loadParkedEvents = async (client: ClientBase, key: InstanceKey): Promise<RecordedEvent[]> => {
  const { rows } = await client.query<{ event: RecordedEvent }>(
    'select event from process_parked_events where process = $1 and instance_id = $2 order by position',
    [key.process, key.instance_id],
  );
  return rows.map(({ event }) => event);
};

export const removeParkedEvents = async (client: ClientBase, key: InstanceKey, upTo: string): Promise<void> => {
  await client.query('delete from process_parked_events where process = $1 and instance_id = $2 and position <= $3', [
    key.process,
    key.instance_id,
    upTo,
  ]);
};

/** Skips the first event that waits for a parked instance: it counts as seen and has no effect. */
export const skipParkedEvent = async (client: ClientBase, instance: Instance): Promise<void> => {
  const [event] = await loadParkedEvents(client, instance);
  if (!event) return;
  instance.position = event.position;
  await removeParkedEvents(client, instance, event.position);
};

export const listParked = async (client: { query: ClientBase['query'] }): Promise<ParkedInstance[]> => {
  const { rows } = await client.query<Omit<ParkedInstance, 'parked_at'> & { parked_at: Date }>(
    `select i.process, i.instance_id, i.tenant_id, e.position, e.event ->> 'type' as event_type,
       i.park_error as error, i.park_attempts as attempts, i.parked_at, e.waiting::integer
     from process_instances i
     cross join lateral (
       select p.position, p.event, count(*) over () as waiting from process_parked_events p
       where p.process = i.process and p.instance_id = i.instance_id order by p.position limit 1
     ) e
     where i.parked_at is not null
     order by i.parked_at`,
  );
  return rows.map((row) => ({ ...row, parked_at: row.parked_at.toISOString() }));
};

/** Parked instances whose next automatic attempt is due. */
export const dueParked = async (client: { query: ClientBase['query'] }): Promise<ParkedInstanceKey[]> => {
  const { rows } = await client.query<ParkedInstanceKey>(
    `select process, instance_id from process_instances
     where parked_at is not null and park_retry_at <= now() order by park_retry_at limit 20`,
  );
  return rows;
};

/** Instances of these processes that are parked because an older version could not read a fact. */
export const parkedFromNewerVersion = async (
  client: { query: ClientBase['query'] },
  processes: readonly string[],
): Promise<ParkedInstanceKey[]> => {
  const { rows } = await client.query<ParkedInstanceKey>(
    `select process, instance_id from process_instances
     where parked_at is not null and park_from_newer_version and process = any($1) order by parked_at`,
    [processes],
  );
  return rows;
};

/** A position with the id of its event; null where that is not known. */
export interface ReadUpTo {
  position: Position;
  event_id: EventId | null;
}

export const loadCheckpoint = async (
  client: { query: ClientBase['query'] },
  reader: string,
): Promise<ReadUpTo | null> => {
  const { rows } = await client.query<ReadUpTo>(
    'select position, event_id from process_checkpoints where reader = $1',
    [reader],
  );
  return rows[0] ?? null;
};

/**
 * Throws `CheckpointMoved` where the checkpoint is not at `from`: a crash of the database server has lost transactions, whose
 * events must be read again.
 */
export const moveCheckpoint = async (
  client: ClientBase,
  reader: string,
  { from, to: { position, event_id } }: { from: Position | null; to: ReadUpTo },
): Promise<void> => {
  const { rowCount } =
    from === null
      ? await client.query(
          'insert into process_checkpoints (reader, position, event_id) values ($1, $2, $3) on conflict do nothing',
          [reader, position, event_id],
        )
      : await client.query(
          `update process_checkpoints set position = $2, event_id = $4, updated_at = now()
           where reader = $1 and position = $3`,
          [reader, position, from, event_id],
        );
  if (rowCount !== 1) throw new CheckpointMoved(reader);
};
