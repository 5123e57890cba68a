import { type Change, changed, made } from './change.ts';

/** The walk "A command with a new fact" for `PinNote`, on top of the area of notes. */
export const pinNote: readonly Change[] = [
  changed(
    'src/events/note-events.ts',
    [
      {
        after: 'z.object({ note_id: NoteId, name: z.string() }));\n',
        insert: "export const NotePinned = event('NotePinned', z.object({ note_id: NoteId }));\n",
      },
      { after: 'noteEvents = [NoteWritten, ', insert: 'NotePinned, ' },
    ],
    { complaint: { path: 'src/commands/note/pin-note.ts', text: 'NotePinned' } },
  ),
  made('fact', 'test/events/fixtures/NotePinned.v1.json', { failure: 'NotePinned.v1.json' }),
  changed('src/commands/note/note-state.ts', [
    { after: '  name: string;\n', insert: '  is_pinned: boolean;\n' },
    { after: 'return { note_id, project_id, name, ', insert: 'is_pinned: false, ' },
    {
      after: '  switch (event.type) {\n',
      insert: "    case 'NotePinned':\n      return { ...state, is_pinned: true };\n",
    },
  ]),
  changed('src/projections/notes.ts', [
    { replace: '  version: 1,', by: '  version: 2,' },
    { after: '  text: z.string(),\n', insert: '  is_pinned: z.boolean(),\n' },
    { after: '=> ({ project_id, name, text, ', insert: 'is_pinned: false, ' },
    { after: '  on: {\n', insert: '    NotePinned: (row) => ({ ...row, is_pinned: true }),\n' },
  ]),
  made('fact', 'migrations/9002-notes.sql', { failure: 'the columns of the table notes' }),
  made('fact', 'src/commands/note/pin-note.ts'),
  changed(
    'src/commands/note/note-commands.ts',
    [
      {
        after: "import { deleteNote } from './delete-note.ts';\n",
        insert: "import { pinNote } from './pin-note.ts';\n",
      },
      { after: '[deleteNote, ', insert: 'pinNote, ' },
    ],
    { failure: 'lists every command that has a file' },
  ),
  changed('src/api/routes/notes.ts', [
    {
      after: "import { deleteNote } from '../../commands/note/delete-note.ts';\n",
      insert: "import { pinNote } from '../../commands/note/pin-note.ts';\n",
    },
    {
      after: "command('DELETE', note, deleteNote, { tag }),\n",
      insert: "    command('POST', '/notes/{note_id}/pin', pinNote, { tag }),\n",
    },
  ]),
  changed(
    'test/api/surface.test.ts',
    [{ after: "  '/notes/{note_id}': 'get delete',\n", insert: "  '/notes/{note_id}/pin': 'post',\n" }],
    { failure: 'has the routes that are promised' },
  ),
  changed(
    'test/commands/note.test.ts',
    [
      {
        after: "import { deleteNote } from '../../src/commands/note/delete-note.ts';\n",
        insert: "import { pinNote } from '../../src/commands/note/pin-note.ts';\n",
      },
      {
        after: '  const { note_id, project_id, name } = written.data;\n',
        insert: `
  it('pin a note once', () => {
    given(written).when(pinNote, { note_id }).then({ type: 'NotePinned' });
    given(written, fact('NotePinned', { note_id })).when(pinNote, { note_id }).thenNothing();
  });
`,
      },
    ],
    { failure: 'PinNote' },
  ),
];
