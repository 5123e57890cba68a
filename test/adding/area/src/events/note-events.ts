import { z } from 'zod';
import { event } from './event.ts';
import { NoteId, ProjectId } from './ids.ts';

export const NoteWritten = event(
  'NoteWritten',
  z.object({ note_id: NoteId, project_id: ProjectId, name: z.string(), text: z.string() }),
);
export const NoteDeleted = event('NoteDeleted', z.object({ note_id: NoteId, name: z.string() }));

export const noteEvents = [NoteWritten, NoteDeleted] as const;
