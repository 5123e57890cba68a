import type { Area } from '../events/catalog.ts';
import { clusterCommands } from './cluster/cluster-commands.ts';
import type { AnyCommand } from './command.ts';
import { endpointCommands } from './endpoint/endpoint-commands.ts';
import { modelCommands } from './model/model-commands.ts';
import { projectCommands } from './project/project-commands.ts';
import { userCommands } from './user/user-commands.ts';
import { workflowCommands } from './workflow/workflow-commands.ts';

/** All commands. The compiler asks a new area for its list. */
const commandsOf: Readonly<Record<Area, readonly AnyCommand[]>> = {
  project: projectCommands,
  user: userCommands,
  model: modelCommands,
  cluster: clusterCommands,
  endpoint: endpointCommands,
  workflow: workflowCommands,
};

export const commandCatalog: readonly AnyCommand[] = Object.values(commandsOf).flat();

const byType: ReadonlyMap<string, AnyCommand> = new Map(commandCatalog.map((command) => [command.type, command]));

export const findCommand = (type: string): AnyCommand | undefined => byType.get(type);
