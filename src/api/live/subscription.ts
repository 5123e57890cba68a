import { z } from 'zod';
import { listedProjects } from '../../commands/may-see.ts';
import { Area, streamOf } from '../../events/catalog.ts';
import { ofOneForm, type Position } from '../../events/event.ts';
import { ProjectId } from '../../events/ids.ts';
import { visibility } from '../../events/visibility.ts';
import type { Log, LogFilter } from '../../ports/log.ts';
import { EventCursor, EventCursorText, isEventOf } from '../../projections/event-cursor.ts';
import type { ApiCaller } from '../callers/caller.ts';
import { alwaysShownTypes } from './access-change.ts';
import type { Frame } from './frame.ts';

/** The query of a live stream. */
export const SubscriptionQuery = z.strictObject({
  /** The cursor of a frame, a position from an answer, `start` or `now`. */
  from: z.union([z.enum(['start', 'now']), EventCursorText]).optional(),
  project: ProjectId.optional(),
  area: Area.optional(),
  resource: z.uuid().optional(),
  /** For browsers, whose WebSocket API cannot set headers. */
  access_token: z.string().max(20_000).optional(),
});
export type SubscriptionQuery = z.output<typeof SubscriptionQuery>;

/** The position from which a client continues, and why it has to read its data again first; null where it does not. */
export interface StartingPoint {
  after: Position | 'start';
  reset: string | null;
}

/** Where a client continues; a position beyond the end of the log, of another format or of another event is of another log. */
export const startingPoint = async (
  { eventAt }: Pick<Log, 'eventAt'>,
  from: SubscriptionQuery['from'],
  head: Position | null,
): Promise<StartingPoint> => {
  if (from === 'start') return { after: from, reset: null };
  const now = head ?? 'start';
  if (from === undefined || from === 'now') return { after: now, reset: null };
  const cursor = EventCursor.parse(from);
  const { position, digits } = cursor;
  if (head !== null && !ofOneForm(position, head)) return { after: now, reset: 'The log has been moved since then.' };
  if (head === null || position > head)
    return { after: now, reset: 'This log does not reach as far as that position.' };
  const standing = digits === undefined ? null : await eventAt(position);
  if (standing === null || (typeof standing === 'object' && isEventOf(cursor, standing.id)))
    return { after: position, reset: null };
  return { after: now, reset: 'The log has another history since then.' };
};

/** Which of the frames that its caller may see a client wants. */
export type SubscriptionFilter = Pick<SubscriptionQuery, 'project' | 'area' | 'resource'>;

/**
 * Whether the frame passes the filter. `always`: it concerns the caller's own access, and passes whatever area and resource
 * the client asks for, since the client would otherwise wait for frames that no longer come.
 */
export const isWanted = (
  { project, area, resource }: SubscriptionFilter,
  frame: Frame,
  { always }: { always: boolean },
): boolean =>
  (project === undefined || frame.project_id === project) &&
  (always ||
    ((area === undefined || frame.area === area) && (resource === undefined || frame.resource_id === resource)));

/** With more projects than that, all are read, and those that are not shown are left out afterwards. */
const MAX_NAMED_PROJECTS = 200;

interface Streams {
  streams: string[];
  streamPrefixes: string[];
}

const allOf = (area: Area): Streams => ({ streams: [], streamPrefixes: [streamOf(area, '')] });
const named = (area: Area, ids: readonly string[]): Streams => ({
  streams: ids.map((id) => streamOf(area, id)),
  streamPrefixes: [],
});

/** The streams of an area that have frames for the client. */
const streamsOf = (caller: Viewing, { project, resource }: SubscriptionFilter, area: Area): Streams => {
  const seen = visibility[area];
  if (resource !== undefined) return named(area, [resource]);
  if (project !== undefined) {
    if (seen.project === null) return named(area, []);
    return seen.project === 'own-id' ? named(area, [project]) : allOf(area);
  }
  const projects = listedProjects(caller, area);
  if (projects === 'all') return allOf(area);
  if (seen.project === null) return named(area, seen.self ? [caller.user_id] : []);
  if (projects.length === 0) return named(area, []);
  const ids = projects.filter((id) => id !== null);
  return seen.project === 'own-id' && ids.length <= MAX_NAMED_PROJECTS ? named(area, ids) : allOf(area);
};

type Viewing = Pick<ApiCaller, 'user_id' | 'access'>;

/**
 * What a replay reads of the log: the narrower it is, the sooner the first frame comes. It is wider than what the client
 * gets, never narrower.
 */
export const replayFilter = (caller: Viewing, filter: SubscriptionFilter): LogFilter => {
  const areas = filter.area === undefined ? Area.options : [filter.area];
  const parts = areas.map((area) => streamsOf(caller, filter, area));
  return {
    streams: parts.flatMap(({ streams }) => streams),
    streamPrefixes: parts.flatMap(({ streamPrefixes }) => streamPrefixes),
    typesOfAnyStream: alwaysShownTypes,
  };
};
