import { z } from 'zod';
import { Area } from '../../events/catalog.ts';
import { Position, type RecordedEvent } from '../../events/event.ts';
import { ProjectId, TenantId } from '../../events/ids.ts';
import type { StatusMessage } from '../../ports/status-bus.ts';
import { eventCursorOf } from '../../projections/event-cursor.ts';
import { toStatusMessage } from '../../projections/status-message.ts';
import { accessFactOfEvent, accessFactOfMessage, type MaybeAccessFact } from './access-change.ts';

/** The fields of a status message that decide who sees it, and in which order. */
const Envelope = z.object({
  id: z.string(),
  type: z.string(),
  subject: z.string(),
  position: Position,
  previousposition: Position.optional(),
  tenantid: TenantId,
  projectid: ProjectId.optional(),
  data: z.unknown(),
});

/** A status message on its way to clients. */
export interface Frame {
  position: Position;
  /** Of its event. */
  id: string;
  /** For a client to come back with. */
  cursor: string;
  /** Position of the previous status message; undefined where it is not known. */
  previous: Position | undefined;
  tenant_id: TenantId;
  /** The project that the resource belongs to; null where it belongs to none. */
  project_id: ProjectId | null;
  area: Area;
  resource_id: string;
  /** What may change somebody's access; null for most frames. */
  fact: MaybeAccessFact;
  /** Makes CloudEvents JSON, as clients get it. */
  text(): string;
}

/** Parses a status message; null where it is not one of BudApp's. */
export const frameOf = ({ payload }: Pick<StatusMessage, 'payload'>): Frame | null => {
  let content: unknown;
  try {
    content = JSON.parse(payload);
  } catch {
    return null;
  }
  const parsed = Envelope.safeParse(content);
  if (!parsed.success) return null;
  const { id, subject, position, previousposition, tenantid, projectid } = parsed.data;
  const [area, resource_id] = subject.split('.').slice(-2);
  const known = Area.safeParse(area);
  if (!known.success || resource_id === undefined) return null;
  return {
    position,
    id,
    cursor: eventCursorOf({ position, event_id: id }),
    previous: previousposition,
    tenant_id: tenantid,
    project_id: projectid ?? null,
    area: known.data,
    resource_id,
    fact: accessFactOfMessage(parsed.data),
    text: () => payload,
  };
};

export interface FrameContext {
  area: Area;
  id: string;
  project_id: ProjectId | null;
}

/** The frame of an event of the log. Its text is only made where somebody may see it. */
export const frameOfEvent = (event: RecordedEvent, { area, id, project_id }: FrameContext): Frame => ({
  position: event.position,
  id: event.id,
  cursor: eventCursorOf({ position: event.position, event_id: event.id }),
  previous: undefined,
  tenant_id: event.meta.tenant_id,
  project_id,
  area,
  resource_id: id,
  fact: accessFactOfEvent(event),
  text: () => toStatusMessage(event, { project_id, previous: null })?.payload ?? '',
});
