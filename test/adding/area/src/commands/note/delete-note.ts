import { z } from 'zod';
import { NoteId } from '../../events/ids.ts';
import { noteCommand } from './note-state.ts';

export const deleteNote = noteCommand({
  type: 'DeleteNote',
  summary: 'Delete a note',
  permission: 'note:manage',
  data: z.strictObject({ note_id: NoteId }),
  target: ({ note_id }) => note_id,
  decide: ({ note_id }, { name }) => ({ type: 'NoteDeleted', data: { note_id, name } }),
});
