import type { NoteFact, Recorded } from '../../events/catalog.ts';
import type { NoteId, ProjectId } from '../../events/ids.ts';
import { type Aggregate, commandsOn } from '../command.ts';

export interface NoteState {
  note_id: NoteId;
  project_id: ProjectId;
  name: string;
  status: 'written' | 'deleted';
}

const evolve = (state: NoteState | null, event: Recorded<NoteFact>): NoteState | null => {
  if (event.type === 'NoteWritten') {
    const { note_id, project_id, name } = event.data;
    return { note_id, project_id, name, status: 'written' };
  }
  if (!state) return null;
  switch (event.type) {
    case 'NoteDeleted':
      return { ...state, status: 'deleted' };
  }
};

export const note: Aggregate<NoteState, NoteFact> = {
  area: 'note',
  evolve,
  isGone: (state) => state.status === 'deleted',
  nameOf: (state) => (state.status === 'deleted' ? null : { kind: 'note', name: state.name }),
};

export const { change: noteCommand, create: noteCreation } = commandsOn(note);
