import { type Area, parseStream } from '../events/catalog.ts';
import type { Position, RecordedEvent } from '../events/event.ts';
import type { ProjectId } from '../events/ids.ts';
import { isSealed } from '../events/sealed.ts';
import { withoutUserInfo } from '../events/user-info.ts';
import type { StatusMessage } from '../ports/status-bus.ts';
import { eventCursorOf } from './event-cursor.ts';

/** The facts that a status message needs besides its event. */
export interface StatusContext {
  /** The project of the resource; null where it has none. */
  project_id: ProjectId | null;
  /** Position of the previous message of the feed: a listener that has not seen it has a gap. */
  previous: Position | null;
}

/** Removes sealed texts, which must not leave the log even when sealed, and passwords in URLs. */
const withoutSealed = (value: unknown): unknown => {
  if (typeof value === 'string') return withoutUserInfo(value);
  if (Array.isArray(value)) return value.filter((item) => !isSealed(item)).map(withoutSealed);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([, item]) => !isSealed(item));
  return Object.fromEntries(kept.map(([name, item]) => [name, withoutSealed(item)]));
};

/** `EndpointScalingRequested` -> `endpoint-scaling-requested`. */
const kebab = (type: string): string => type.replaceAll(/(?<=[a-z0-9])(?=[A-Z])/g, '-').toLowerCase();

/** The `type` of the messages that tell of an event of this type. */
export const messageType = (area: Area, eventType: string): string => `bud.${area}.${kebab(eventType)}`;

const subjectOf = ({ area, id }: { area: Area; id: string }, projectId: ProjectId | null): string =>
  `bud.status.${projectId ?? '-'}.${area}.${id}`;

/**
 * Pure. Converts an event to a CloudEvents 1.0 message; null for events of names, which are not a resource. Extension
 * attributes are in lower case without separators, as CloudEvents demands.
 */
export const toStatusMessage = (
  event: RecordedEvent,
  { project_id, previous }: StatusContext,
): StatusMessage | null => {
  const resource = parseStream(event.stream);
  if (!resource) return null;
  const { meta } = event;
  const subject = subjectOf(resource, project_id);
  const payload = {
    specversion: '1.0',
    id: event.id,
    source: `/budapp/${resource.area}/${resource.id}`,
    type: messageType(resource.area, event.type),
    subject,
    time: event.at,
    datacontenttype: 'application/json',
    position: event.position,
    cursor: eventCursorOf({ position: event.position, event_id: event.id }),
    ...(previous === null ? {} : { previousposition: previous }),
    revision: event.revision,
    tenantid: meta.tenant_id,
    ...(project_id === null ? {} : { projectid: project_id }),
    correlationid: meta.correlation_id,
    ...(meta.causation_id === null ? {} : { causationid: meta.causation_id }),
    actortype: meta.actor.type,
    actorid: meta.actor.id,
    data: withoutSealed(event.data),
  };
  return { subject, payload: JSON.stringify(payload) };
};
