import { z } from 'zod';
import { Position, type RecordedEvent } from '../events/event.ts';
import { CommandId, EventId, ProjectId, TenantId } from '../events/ids.ts';
import type { ReadModel } from './read-model.ts';

/** A row of the audit: one event of the log. Sealed texts stay sealed. */
export const AuditRow = z.object({
  position: Position,
  tenant_id: TenantId,
  at: z.string(),
  stream: z.string(),
  /** `project`, `endpoint`, ...; `name` for the reservations of names. */
  area: z.string(),
  /** Null for events of names, which are not a resource. */
  resource_id: z.uuid().nullable(),
  revision: z.int(),
  event_id: EventId,
  event_type: z.string(),
  command: z.string(),
  command_id: CommandId,
  actor_type: z.enum(['user', 'service', 'process']),
  actor_id: z.string(),
  /** Sealed where the actor is a user. */
  actor_name: z.string(),
  correlation_id: z.uuid(),
  causation_id: EventId.nullable(),
  /** `X-Request-Id` of the request that made the event; null where none did, and for events of before it was kept. */
  request_id: z.string().nullable(),
  /** The project that the event itself names; null where it names none. */
  project_id: ProjectId.nullable(),
  data: z.json(),
});
export type AuditRow = z.output<typeof AuditRow>;

const WithProject = z.object({ project_id: ProjectId });

const entryOf = (event: RecordedEvent) => {
  const { stream, meta, data } = event;
  const dash = stream.indexOf('-');
  const resource = z.uuid().safeParse(stream.slice(dash + 1));
  return {
    position: event.position,
    tenant_id: meta.tenant_id,
    at: event.at,
    stream,
    area: stream.slice(0, dash),
    resource_id: resource.data ?? null,
    revision: event.revision,
    event_id: event.id,
    event_type: event.type,
    command: meta.command,
    command_id: meta.command_id,
    actor_type: meta.actor.type,
    actor_id: meta.actor.id,
    actor_name: meta.actor.name,
    correlation_id: meta.correlation_id,
    causation_id: meta.causation_id,
    request_id: meta.request_id ?? null,
    project_id: WithProject.safeParse(data).data?.project_id ?? null,
    data,
  };
};

/**
 * The audit log: one row per event, with actor, command, time and cause, in the shape in which the event was recorded.
 */
export const auditLog: ReadModel = {
  name: 'audit_log',
  version: 1,
  key: 'position',
  columns: Object.keys(AuditRow.shape),
  streamPrefix: null,
  name_kind: null,
  changesRows: false,
  keyOf: (event) => event.position,
  next: (_row, event) => entryOf(event),
  // Not validated: the row is built field by field from an event that the log has validated, and a second validation
  // would cost as much as everything else.
  check: (row) => row,
};
