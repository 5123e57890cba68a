import { z } from 'zod';
import { maySee } from '../../commands/may-see.ts';
import { Area } from '../../events/catalog.ts';
import { ofOneForm, Position } from '../../events/event.ts';
import { ProjectId } from '../../events/ids.ts';
import { projectOf, type Viewable } from '../../events/visibility.ts';
import type { ApiCaller } from '../callers/caller.ts';
import type { Frame } from './frame.ts';

/** The query of a live stream. */
export const SubscriptionQuery = z.strictObject({
  /** A position from an answer or a frame, `start` or `now`. */
  from: z.union([z.enum(['start', 'now']), Position]).optional(),
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

/** A position beyond the end of the log, or of another format, is from another log. */
export const startingPoint = (from: SubscriptionQuery['from'], head: Position | null): StartingPoint => {
  if (from === 'start') return { after: from, reset: null };
  const now = head ?? 'start';
  if (from === undefined || from === 'now') return { after: now, reset: null };
  const isOfThisLog = head === null || ofOneForm(from, head);
  if (head !== null && isOfThisLog && from <= head) return { after: from, reset: null };
  const reset = isOfThisLog ? 'This log does not reach as far as that position.' : 'The log has been moved since then.';
  return { after: now, reset };
};

const viewableOf = ({ resource_id, project_id }: Frame): Viewable => ({ id: resource_id, project_id });

/** Whether the frame passes the filters of the query. */
export const isWanted = ({ project, area, resource }: SubscriptionQuery, frame: Frame): boolean =>
  (project === undefined || projectOf(frame.area, viewableOf(frame)) === project) &&
  (area === undefined || frame.area === area) &&
  (resource === undefined || frame.resource_id === resource);

/** Checked for every frame, since permissions change while a client is connected. */
export const maySeeFrame = (caller: ApiCaller, frame: Frame): boolean =>
  frame.tenant_id === caller.tenant_id && maySee(caller, frame.area, viewableOf(frame));
