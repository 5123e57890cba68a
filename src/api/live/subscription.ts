import { z } from 'zod';
import { allows } from '../../commands/access.ts';
import { Area } from '../../events/catalog.ts';
import { Position } from '../../events/event.ts';
import { ProjectId } from '../../events/ids.ts';
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

/** What a frame is about must be among what was asked for. */
export const isWanted = ({ project, area, resource }: SubscriptionQuery, frame: Frame): boolean =>
  (project === undefined ||
    frame.project_id === project ||
    (frame.area === 'project' && frame.resource_id === project)) &&
  (area === undefined || frame.area === area) &&
  (resource === undefined || frame.resource_id === resource);

/** Workflows outside projects are those of models and clusters. */
const maySeeWorkflow = ({ access }: ApiCaller, projectId: ProjectId | null): boolean =>
  projectId === null
    ? allows(access, 'model:view', null) && allows(access, 'cluster:view', null)
    : allows(access, 'endpoint:view', projectId);

/** Looked at for every single frame: permissions change while a client listens. */
export const maySeeFrame = (caller: ApiCaller, frame: Frame): boolean => {
  if (frame.tenant_id !== caller.tenant_id) return false;
  switch (frame.area) {
    case 'project': {
      const project = ProjectId.safeParse(frame.resource_id);
      return project.success && allows(caller.access, 'project:view', project.data);
    }
    case 'endpoint':
      return frame.project_id !== null && allows(caller.access, 'endpoint:view', frame.project_id);
    case 'workflow':
      return maySeeWorkflow(caller, frame.project_id);
    case 'user':
      return frame.resource_id === caller.user_id || allows(caller.access, 'user:view', null);
    case 'model':
      return allows(caller.access, 'model:view', null);
    case 'cluster':
      return allows(caller.access, 'cluster:view', null);
  }
};
