import type { Fields } from './command-route.ts';
import type { Exchange } from './route.ts';

/** A request without a project means the caller's default project, which was created at the first login. */
const defaultProject = ({ caller }: Exchange): Fields => ({ project_id: caller.default_project_id });

/** Defaults of fields that a request may leave out, by command. */
export const commandDefaults = { DeployModel: defaultProject } as const;

export const defaultsOf = (type: string): ((exchange: Exchange) => Fields) | undefined =>
  Object.entries(commandDefaults).find(([name]) => name === type)?.[1];
