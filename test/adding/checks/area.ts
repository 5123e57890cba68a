import { once } from 'node:events';
import { expect } from 'chai';
import { WebSocket } from 'ws';
import { type Reply, type RunningApi, startApi } from '../../api/running-api.ts';

// Run by adding.slow.test.ts in a copy of the repository that has the area of notes.

type Asking = ReturnType<RunningApi['as']>;

/** The types of the frames that the person gets of the thing, until the marker of the person's own comes. */
const framesOf = async (api: RunningApi, { token, post }: Asking, id: string): Promise<string[]> => {
  const socket = new WebSocket(`${api.url.replace('http', 'ws')}/stream?from=start`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const frames: { subject: string; type: string }[] = [];
  socket.on('message', (data) => {
    frames.push(JSON.parse(String(data)));
    socket.emit('frame');
  });
  const marker: string = (await post('/projects', { name: `the end of ${token}` })).body.id;
  while (!frames.some(({ subject }) => subject.endsWith(marker))) await once(socket, 'frame');
  socket.close();
  return frames.filter(({ subject }) => subject.endsWith(id)).map(({ type }) => type);
};

describe('an area that was added', () => {
  let api: RunningApi;
  let owner: Asking;
  let member: Asking;
  let stranger: Asking;
  let project_id: string;
  let first: Reply;
  let second: Reply;
  let deletion: Reply;

  before(async () => {
    api = await startApi();
    const developer = (name: string) => api.as({ email: `${name}@example.org`, role: 'developer' });
    [owner, member, stranger] = [developer('owner'), developer('member'), developer('stranger')];
    for (const { get } of [owner, member, stranger]) expect((await get('/auth/me')).status).to.equal(200);
    project_id = (await owner.post('/projects', { name: 'with notes' })).body.id;
    const { user_id } = (await member.get('/auth/me')).body;
    const scopes = ['project:view', 'note:view'];
    expect((await owner.post(`/projects/${project_id}/members`, { user_id, scopes })).status).to.equal(200);
    first = await owner.post('/notes', { project_id, name: 'first', text: 'What was said.' });
    second = await owner.post('/notes', { project_id, name: 'second' });
  });
  after(() => api.close());

  const pathOf = ({ body }: Reply): string => `/notes/${body.id}`;
  const namesIn = ({ body }: Reply): string[] => body.items.map(({ name }: { name: string }) => name);

  it('takes a command into the log', async () => {
    expect(first.status, JSON.stringify(first.body)).to.equal(201);
    expect(first.headers.get('location')).to.equal(pathOf(first));
    const types: string[] = [];
    for await (const { type } of api.services.log.readStream(`note-${first.body.id}`)) types.push(type);
    expect(types).to.deep.equal(['NoteWritten']);
  });

  it('keeps its names unique', async () => {
    const again = await owner.post('/notes', { project_id, name: 'First' });
    expect([again.status, again.body.code]).to.deep.equal([409, 'note-name-taken']);
  });

  it('shows the item to those of its project', async () => {
    for (const { getAfter } of [api.admin, owner, member]) {
      const { body, headers } = await getAfter(first, pathOf(first));
      expect(body).to.deep.equal(first.body);
      expect(body).to.include({ project_id, name: 'first', text: 'What was said.', status: 'written' });
      expect(headers.get('etag')).to.equal('"0"');
    }
    expect((await stranger.getAfter(first, pathOf(first))).body.code).to.equal('note-not-found');
  });

  it('lists it to them, in pages, by a filter', async () => {
    const page = await member.getAfter(second, '/notes?limit=1&sort=name');
    expect([namesIn(page), page.body.has_more]).to.deep.equal([['first'], true]);
    const next = await member.get(`/notes?limit=1&sort=name&cursor=${encodeURIComponent(page.body.next_cursor)}`);
    expect([namesIn(next), next.body.has_more]).to.deep.equal([['second'], false]);
    expect(namesIn(await member.get('/notes?name=second'))).to.deep.equal(['second']);
    expect((await member.get('/notes?nonsense=1')).status).to.equal(400);
    expect(namesIn(await stranger.getAfter(second, '/notes'))).to.deep.equal([]);
  });

  it('lets only those change it who may', async () => {
    expect((await member.call('DELETE', pathOf(second))).body.code).to.equal('not-permitted');
    expect((await stranger.call('DELETE', pathOf(second))).body.code).to.equal('note-not-found');
    expect((await member.post('/notes', { project_id, name: 'third' })).body.code).to.equal('not-permitted');
    expect((await stranger.post('/commands/WriteNote', { project_id, name: 'third' })).status).to.equal(404);
    deletion = await owner.call('DELETE', pathOf(second));
    expect(deletion.status).to.equal(200);
  });

  it('tells its history', async () => {
    const gone = await member.getAfter(deletion, pathOf(second));
    expect(gone.body.code).to.equal('note-not-found');
    const path = `/audit/note/${second.body.id}`;
    const { body } = await member.getAfter(deletion, path);
    const told = body.items.map(({ event_type, command }: Record<string, string>) => [event_type, command]);
    expect(told).to.deep.equal([
      ['NoteWritten', 'WriteNote'],
      ['NoteDeleted', 'DeleteNote'],
    ]);
    const then = await member.get(`${path}/state?as_of=${second.headers.get('position')}`);
    expect(then.body).to.deep.equal(second.body);
    expect((await stranger.get(path)).status).to.equal(404);
  });

  it('is on the live stream for those of its project', async () => {
    const told = ['bud.note.note-written', 'bud.note.note-deleted'];
    for (const person of [api.admin, owner, member]) {
      expect(await framesOf(api, person, second.body.id)).to.deep.equal(told);
    }
    expect(await framesOf(api, stranger, second.body.id)).to.deep.equal([]);
  });

  it('is in the OpenAPI document', async () => {
    const { paths, components, tags } = (await api.request('GET', '/openapi.json')).body;
    expect(Object.keys(paths)).to.include.members(['/notes', '/notes/{note_id}', '/commands/WriteNote']);
    expect(components.schemas.Note.properties).to.include.keys('id', 'project_id', 'text', 'revision');
    expect(tags).to.deep.include({ name: 'notes' });
    expect(JSON.stringify(paths['/audit/{area}/{id}'].get.parameters)).to.contain('"note"');
  });
});
