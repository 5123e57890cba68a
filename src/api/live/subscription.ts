import { z } from 'zod';
import { maySee } from '../../commands/may-see.ts';
import { Area } from '../../events/catalog.ts';
import { Position } from '../../events/event.ts';
import { ProjectId } from '../../events/ids.ts';
import { projectOf, type Thing } from '../../events/visibility.ts';
import type { ApiCaller } from '../callers/caller.ts';
import type { Frame } from './frame.ts';

/** What a client asks for. */
export const SubscriptionQuery = z.strictObject({
  /** A position that an answer or a frame gave; `start`; `now`. */
  from: z.union([z.enum(['start', 'now']), Position]).optional(),
  project: ProjectId.optional(),
  area: Area.optional(),
  resource: z.uuid().optional(),
  /** For browsers, which cannot send headers here. */
  access_token: z.string().max(20_000).optional(),
});
export type SubscriptionQuery = z.output<typeof SubscriptionQuery>;

const thingOf = ({ resource_id, project_id }: Frame): Thing => ({ id: resource_id, project_id });

/** What a frame is about must be among what was asked for. */
export const isWanted = ({ project, area, resource }: SubscriptionQuery, frame: Frame): boolean =>
  (project === undefined || projectOf(frame.area, thingOf(frame)) === project) &&
  (area === undefined || frame.area === area) &&
  (resource === undefined || frame.resource_id === resource);

/** Looked at for every single frame: permissions change while a client listens. */
export const maySeeFrame = (caller: ApiCaller, frame: Frame): boolean =>
  frame.tenant_id === caller.tenant_id && maySee(caller, frame.area, thingOf(frame));
