import { z } from 'zod';
import { notFound } from '../../errors.ts';
import { NoteId, ProjectId } from '../../events/ids.ts';
import { Description, ResourceName } from '../../events/values.ts';
import { need } from '../command.ts';
import { project } from '../project/project-state.ts';
import { noteCreation } from './note-state.ts';

export const writeNote = noteCreation({
  type: 'WriteNote',
  summary: 'Write a note',
  permission: 'note:manage',
  data: z.strictObject({ project_id: ProjectId, name: ResourceName, text: Description.default('') }),
  target: (_data, make) => make('note'),
  project: ({ project_id }) => project_id,
  needs: ({ project_id }) => ({ project: need(project, project_id) }),
  reserves: ({ name }) => ({ kind: 'note', name }),
  decide: ({ project_id, name, text }, _state, { id, needs }) => {
    if (!needs.project) throw notFound('project', project_id);
    return { type: 'NoteWritten', data: { note_id: NoteId.parse(id), project_id, name, text } };
  },
});
