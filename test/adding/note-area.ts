import { type Change, changed, made } from './change.ts';

/** The walk "An area" for notes: they belong to projects, and have unique names and scopes of their own. */
export const noteArea: readonly Change[] = [
  changed(
    'src/events/ids.ts',
    [
      {
        after: 'export type WorkflowId = z.output<typeof WorkflowId>;\n',
        insert: "export const NoteId = id('NoteId');\nexport type NoteId = z.output<typeof NoteId>;\n",
      },
    ],
    { complaint: { path: 'src/events/note-events.ts', text: 'NoteId' } },
  ),
  changed('src/events/values.ts', [{ after: "ScopeArea = z.enum(['model', ", insert: "'note', " }], {
    complaint: { path: 'src/commands/access.ts', text: "'note'" },
  }),
  changed('src/commands/access.ts', [
    {
      after: 'Record<ScopeArea, Grants>> = {\n',
      insert: "  note: { developer: 'manage', viewer: 'view', owner: 'manage' },\n",
    },
  ]),
  changed('src/events/name-events.ts', [{ after: "NameKind = z.enum(['project', ", insert: "'note', " }], {
    complaint: { path: 'src/commands/note/write-note.ts', text: '"note"' },
  }),
  made('area', 'src/events/note-events.ts'),
  made('area', 'test/events/fixtures/NoteWritten.v1.json', { failure: 'NoteWritten.v1.json' }),
  made('area', 'test/events/fixtures/NoteDeleted.v1.json', { failure: 'NoteDeleted.v1.json' }),
  changed(
    'src/events/catalog.ts',
    [
      {
        after: "import { NAME_STREAMS, nameEvents } from './name-events.ts';\n",
        insert: "import { noteEvents } from './note-events.ts';\n",
      },
      { after: "Area = z.enum(['project', ", insert: "'note', " },
      { after: '  project: projectEvents,\n', insert: '  note: noteEvents,\n' },
      {
        after: "export type ProjectFact = FactIn<'project'>;\n",
        insert: "export type NoteFact = FactIn<'note'>;\n",
      },
    ],
    { complaint: { path: 'src/commands/note/note-state.ts', text: 'NoteFact' } },
  ),
  changed('src/events/visibility.ts', [
    {
      after: "  project: { project: 'own-id', view: 'project:view' },\n",
      insert: "  note: { project: 'project_id', view: 'note:view', without_project: null },\n",
    },
  ]),
  made('area', 'src/commands/note/note-state.ts'),
  made('area', 'src/commands/note/write-note.ts'),
  made('area', 'src/commands/note/delete-note.ts'),
  made('area', 'src/commands/note/note-commands.ts'),
  changed('src/commands/catalog.ts', [
    {
      after: "import { modelCommands } from './model/model-commands.ts';\n",
      insert: "import { noteCommands } from './note/note-commands.ts';\n",
    },
    { after: '  project: projectCommands,\n', insert: '  note: noteCommands,\n' },
  ]),
  made('area', 'test/commands/note.test.ts', { failure: 'WriteNote' }),
  made('area', 'src/projections/notes.ts'),
  made('area', 'migrations/9001-notes.sql', { failure: 'the columns of the table notes' }),
  changed('src/projections/catalog.ts', [
    { after: "import { models } from './models.ts';\n", insert: "import { notes } from './notes.ts';\n" },
    { after: '  project: readModelOf(projects),\n', insert: '  note: readModelOf(notes),\n' },
  ]),
  changed('src/api/resource.ts', [
    {
      after: "import { ModelRow, models } from '../projections/models.ts';\n",
      insert: "import { NoteRow, notes } from '../projections/notes.ts';\n",
    },
    {
      after: 'resources: Readonly<Record<Area, Resource>> = {\n',
      insert: `  note: {
    title: 'Note',
    area: 'note',
    path: '/notes',
    projection: notes,
    schema: NoteRow.extend(stamp),
  },
`,
    },
  ]),
  made('area', 'src/api/routes/notes.ts'),
  changed('src/api/api.ts', [
    {
      after: "import { modelRoutes } from './routes/models.ts';\n",
      insert: "import { noteRoutes } from './routes/notes.ts';\n",
    },
    { after: '  project: projectRoutes,\n', insert: '  note: noteRoutes,\n' },
  ]),
  changed(
    'test/api/surface.test.ts',
    [
      {
        after: 'PROMISED: Readonly<Record<string, string>> = {\n',
        insert: "  '/notes': 'post get',\n  '/notes/{note_id}': 'get delete',\n",
      },
    ],
    { failure: 'has the routes that are promised' },
  ),
  changed('test/api/names/names.test.ts', [
    {
      after: 'Record<string, (name: string) => Promise<Reply>>>>> = {\n',
      insert: "    note: { WriteNote: (name) => order('WriteNote', { project_id, name }) },\n",
    },
  ]),
  changed('test/api/visibility.test.ts', [
    { after: 'import { ClusterId, EndpointId, ModelId, ', insert: 'NoteId, ' },
    {
      after: '(given: Given) => readonly Example[]>> = {\n',
      insert: `  note: ({ project_id }) => {
    const note_id = fresh(NoteId);
    return [{ id: note_id, audience: 'members', history: [fact('NoteWritten', { note_id, project_id })] }];
  },
`,
    },
  ]),
  changed('test/e2e/tenant-isolation.ts', [
    {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the source has it so.
      after: '{ name: `${MARK} project` });\n',
      insert: `    const note = await client.post<{ id: string }>('/notes', {
      project_id: project.body.id,
      name: \`\${MARK} note\`,
    });
`,
    },
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the source has it so.
    { after: 'Record<`${Area}_id`, string>> = {\n', insert: '      note_id: note.body.id,\n' },
  ]),
  changed(
    'docs/glossary.md',
    [{ after: '|---|---|---|\n', insert: '| note | what somebody wrote down in a project | |\n' }],
    { failure: 'finds note in the glossary' },
  ),
];
