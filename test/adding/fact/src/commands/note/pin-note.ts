import { z } from 'zod';
import { NoteId } from '../../events/ids.ts';
import { noteCommand } from './note-state.ts';

export const pinNote = noteCommand({
  type: 'PinNote',
  summary: 'Pin a note',
  permission: 'note:manage',
  data: z.strictObject({ note_id: NoteId }),
  target: ({ note_id }) => note_id,
  decide: ({ note_id }, { is_pinned }) => (is_pinned ? [] : { type: 'NotePinned', data: { note_id } }),
});
