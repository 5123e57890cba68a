import { z } from 'zod';
import { type Meta, Position, type RecordedEvent } from '../events/event.ts';
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

/** The length of a time in UTC with milliseconds, as the column `at` keeps it. */
const TIME_LENGTH = '2026-01-31T12:00:00.000Z'.length;
const ACTOR_FIELDS = 3;

/**
 * What of an event no other column holds; newer code may have recorded more than this version knows. Undefined fields are
 * not stored.
 */
const restOf = ({ version, at, meta }: RecordedEvent) => {
  const { tenant_id, command_id, command, correlation_id, causation_id, actor, request_id, ...more } = meta;
  return {
    version,
    meta: more,
    actor: Object.keys(actor).length > ACTOR_FIELDS ? actor : undefined,
    at: at.length === TIME_LENGTH ? undefined : at,
  };
};

const Rest = z.object({
  version: z.int(),
  meta: z.record(z.string(), z.unknown()),
  actor: z.record(z.string(), z.unknown()).optional(),
  at: z.string().optional(),
});

/** A row with all that the event had; `rest` is null where the release before wrote it. */
export const WholeAuditRow = AuditRow.extend({ rest: Rest.nullable(), data: z.unknown() });
export type WholeAuditRow = z.output<typeof WholeAuditRow>;

/** The event of a row, as the log had it; null where the row does not hold all of it. */
export const eventOfRow = ({ rest, ...row }: WholeAuditRow): RecordedEvent | null => {
  if (rest === null) return null;
  const { tenant_id, command_id, command, correlation_id, causation_id, request_id } = row;
  const meta: Meta = {
    ...{ tenant_id, command_id, command, correlation_id, causation_id },
    actor: { type: row.actor_type, id: row.actor_id, name: row.actor_name, ...rest.actor },
    ...rest.meta,
    ...(request_id === null ? {} : { request_id }),
  };
  return {
    id: row.event_id,
    type: row.event_type,
    version: rest.version,
    data: row.data,
    meta,
    stream: row.stream,
    revision: row.revision,
    position: row.position,
    at: rest.at ?? row.at,
  };
};

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
    rest: restOf(event),
  };
};

/**
 * The audit log: one row per event, with actor, command, time and cause, in the shape in which the event was recorded. A
 * row holds the event whole: `budapp log heal` makes the log whole from it.
 */
export const auditLog: ReadModel = {
  name: 'audit_log',
  version: 2,
  key: 'position',
  columns: Object.keys(WholeAuditRow.shape),
  streamPrefix: null,
  name_kind: null,
  changesRows: false,
  keyOf: (event) => event.position,
  next: (_row, event) => entryOf(event),
  // Not validated: the row is built field by field from an event that the log has validated, and a second validation
  // would cost as much as everything else.
  check: (row) => row,
};
