import { expect } from 'chai';
import { type RunningApi, startApi } from '../../api/running-api.ts';

// Run by adding.slow.test.ts in a copy of the repository that has the area of notes and `PinNote`.

describe('a command with a new fact that was added', () => {
  let api: RunningApi;
  before(async () => {
    api = await startApi();
  });
  after(() => api.close());

  it('goes from its path and from its name into log, read model, audit and document', async () => {
    const { admin } = api;
    const project_id: string = (await admin.post('/projects', { name: 'with notes' })).body.id;
    const { id, is_pinned } = (await admin.post('/notes', { project_id, name: 'first' })).body;
    expect(is_pinned).to.equal(false);
    const pinned = await admin.post(`/notes/${id}/pin`, undefined);
    expect(pinned.status, JSON.stringify(pinned.body)).to.equal(200);
    const again = await admin.post('/commands/PinNote', { note_id: id });
    expect([again.status, again.body]).to.deep.equal([200, pinned.body]);
    const item = await admin.getAfter(pinned, `/notes/${id}`);
    expect(item.body).to.deep.equal(pinned.body).and.to.include({ is_pinned: true });
    const { body } = await admin.get(`/audit/note/${id}`);
    const types = body.items.map(({ event_type }: { event_type: string }) => event_type);
    expect(types).to.deep.equal(['NoteWritten', 'NotePinned']);
    const { paths } = (await api.request('GET', '/openapi.json')).body;
    expect(paths['/notes/{note_id}/pin'].post.operationId).to.equal('PinNote');
  });
});
