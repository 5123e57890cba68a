import type { AnyCommand } from '../command.ts';
import { addProjectMember } from './add-project-member.ts';
import { changeProjectMemberScopes } from './change-project-member-scopes.ts';
import { createProject } from './create-project.ts';
import { deleteProject } from './delete-project.ts';
import { createDefaultProject } from './internal/create-default-project.ts';
import { removeProjectMember } from './remove-project-member.ts';
import { updateProject } from './update-project.ts';

/** The commands of the area project. */
export const projectCommands: readonly AnyCommand[] = [
  addProjectMember,
  changeProjectMemberScopes,
  createProject,
  deleteProject,
  removeProjectMember,
  updateProject,
  // Sent by BudApp only.
  createDefaultProject,
];
