import type { ProjectFact, Recorded } from '../../events/catalog.ts';
import type { ProjectId, UserId } from '../../events/ids.ts';
import type { Scope } from '../../events/values.ts';
import { type Aggregate, commandsOn } from '../command.ts';

export interface ProjectState {
  project_id: ProjectId;
  name: string;
  description: string;
  tags: readonly string[];
  owner_id: UserId;
  is_default: boolean;
  members: Readonly<Record<UserId, readonly Scope[]>>;
  status: 'active' | 'deleted';
}

const evolve = (state: ProjectState | null, event: Recorded<ProjectFact>): ProjectState | null => {
  if (event.type === 'ProjectCreated') return { ...event.data, members: {}, status: 'active' };
  if (!state) return null;
  switch (event.type) {
    case 'ProjectRenamed':
      return { ...state, name: event.data.name };
    case 'ProjectDescribed':
      return { ...state, description: event.data.description, tags: event.data.tags };
    case 'ProjectDeleted':
      return { ...state, status: 'deleted' };
    case 'ProjectMemberAdded':
    case 'ProjectMemberScopesChanged':
      return { ...state, members: { ...state.members, [event.data.user_id]: event.data.scopes } };
    case 'ProjectMemberRemoved': {
      const { [event.data.user_id]: _removed, ...members } = state.members;
      return { ...state, members };
    }
  }
};

export const project: Aggregate<ProjectState, ProjectFact> = {
  area: 'project',
  evolve,
  isGone: (state) => state.status === 'deleted',
  nameOf: (state) => (state.status === 'deleted' ? null : { kind: 'project', name: state.name }),
};

export const { change: projectCommand, create: projectCreation } = commandsOn(project);
