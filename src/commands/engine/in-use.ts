import { type Rejected, rejected } from '../../errors.ts';
import type { ProjectId } from '../../events/ids.ts';
import { allows, type Caller } from '../access.ts';

/** A live endpoint that prevents a deletion. */
export interface LiveEndpoint {
  id: string;
  name: string;
  project_id: ProjectId;
}

/** The refusal of a deletion. It names the endpoints that the caller may see, and counts the others. */
export const inUse = (area: string, endpoints: readonly LiveEndpoint[], { access }: Caller): Rejected => {
  const visible = endpoints.filter(({ project_id }) => allows(access, 'endpoint:view', project_id));
  const hidden = endpoints.length - visible.length;
  const named = visible.map(({ name }) => name);
  const list = [...named, ...(hidden > 0 ? [`${hidden} of projects that you cannot see`] : [])].join(', ');
  return rejected(`${area}-in-use`, `The ${area} is used by live endpoints: ${list}.`, {
    hint: 'Delete these endpoints first.',
    extra: { endpoints: visible.map(({ id, name }) => ({ id, name })), hidden_endpoints: hidden },
  });
};
