import { z } from 'zod';
import { deleteNote } from '../../commands/note/delete-note.ts';
import { writeNote } from '../../commands/note/write-note.ts';
import { ProjectId } from '../../events/ids.ts';
import { NoteRow } from '../../projections/notes.ts';
import { commandRoutes } from '../command-route.ts';
import { itemRoute, listRoute } from '../read-route.ts';
import { resources } from '../resource.ts';
import type { Route } from '../route.ts';
import type { WriteServices } from '../write.ts';

const tag = 'notes';

export const noteRoutes = (services: WriteServices): Route[] => {
  const command = commandRoutes(services);
  const note = '/notes/{note_id}';
  return [
    command('POST', '/notes', writeNote, { tag }),
    listRoute(services, resources.note, {
      tag,
      filters: { name: z.string(), status: NoteRow.shape.status, project_id: ProjectId },
      sortable: ['created_at', 'updated_at', 'name'],
    }),
    itemRoute(services, resources.note, { tag, parameter: 'note_id' }),
    command('DELETE', note, deleteNote, { tag }),
  ];
};
