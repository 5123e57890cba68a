import type { AnyCommand } from '../command.ts';
import { deleteNote } from './delete-note.ts';
import { writeNote } from './write-note.ts';

/** What may be asked of a note. */
export const noteCommands: readonly AnyCommand[] = [deleteNote, writeNote];
