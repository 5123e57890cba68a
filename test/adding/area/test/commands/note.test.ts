import { deleteNote } from '../../src/commands/note/delete-note.ts';
import { writeNote } from '../../src/commands/note/write-note.ts';
import { fact } from './fixture.ts';
import { given } from './given.ts';

describe('note commands', () => {
  const written = fact('NoteWritten');
  const { note_id, project_id, name } = written.data;

  it('write a note in a project that is there', () => {
    given()
      .knowing({ project: [fact('ProjectCreated', { project_id })] })
      .when(writeNote, { project_id, name })
      .then({ type: 'NoteWritten', data: { project_id, name, text: '' } });
    given().when(writeNote, { project_id, name }).thenRefused('project-not-found');
  });

  it('delete a note', () => {
    given(written).when(deleteNote, { note_id }).then({ type: 'NoteDeleted', data: { name } });
  });
});
