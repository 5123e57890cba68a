import { z } from 'zod';
import type { NoteFact } from '../events/catalog.ts';
import { ProjectId } from '../events/ids.ts';
import { projection } from './projection.ts';

export const NoteRow = z.object({
  project_id: ProjectId,
  name: z.string(),
  text: z.string(),
  status: z.enum(['written', 'deleted']),
});
export type NoteRow = z.output<typeof NoteRow>;

/** Notes as they are now. */
export const notes = projection<NoteRow, NoteFact, 'NoteWritten'>({
  name: 'notes',
  area: 'note',
  version: 1,
  row: NoteRow,
  name_kind: 'note',
  on: {
    NoteWritten: (_row, { data: { project_id, name, text } }) => ({ project_id, name, text, status: 'written' }),
    NoteDeleted: (row) => ({ ...row, status: 'deleted' }),
  },
});
