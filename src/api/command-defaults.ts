import type { Fields } from './command-route.ts';
import type { Exchange } from './route.ts';

/** Where a request names no project, the caller's own is meant: it was made at the first login. */
const defaultProject = ({ caller }: Exchange): Fields => ({ project_id: caller.default_project_id });

/** What stands for fields that a request leaves out, by command. */
export const commandDefaults = { DeployModel: defaultProject } as const;

export const defaultsOf = (type: string): ((exchange: Exchange) => Fields) | undefined =>
  Object.entries(commandDefaults).find(([name]) => name === type)?.[1];
