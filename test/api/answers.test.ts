import { expect } from 'chai';
import { type Reply, type RunningApi, startApi } from './running-api.ts';

/** Operations that no other test needs: each answer is checked against the OpenAPI document on its way. */
describe('the answers of the API', () => {
  let api: RunningApi;
  before(async () => {
    api = await startApi();
  });
  after(() => api?.close());

  const made = async (path: string, body: unknown): Promise<Reply> => {
    const reply = await api.admin.post(path, body);
    expect(reply.status, JSON.stringify(reply.body)).to.be.within(200, 202);
    return reply;
  };

  it('describe the project that PUT changed', async () => {
    const { body } = await made('/projects', { name: 'before' });
    const changed = await api.admin.call('PUT', `/projects/${body.id}`, { name: 'after', tags: ['kept'] });
    expect([changed.status, changed.body.name, changed.body.tags]).to.deep.equal([200, 'after', ['kept']]);
  });

  it('describe the project after a change of its members', async () => {
    const { body: project } = await made('/projects', { name: 'shared' });
    const { body: member } = await api.as({ email: 'member@example.org', role: 'viewer' }).get('/auth/me');
    const path = `/projects/${project.id}/members`;
    await made(path, { user_id: member.user_id, scopes: ['project:view'] });
    const scopes = ['endpoint:view', 'project:view'];
    const changed = await api.admin.call('PATCH', `${path}/${member.user_id}`, { scopes });
    expect([changed.status, changed.body.members]).to.deep.equal([200, { [member.user_id]: scopes }]);
    const removed = await api.admin.call('DELETE', `${path}/${member.user_id}`);
    expect([removed.status, removed.body.members]).to.deep.equal([200, {}]);
  });

  it('describe the model that PATCH changed', async () => {
    const { body } = await made('/models/cloud', { name: 'llama', source: 'huggingface', repo_id: 'meta-llama/Llama' });
    const changed = await api.admin.call('PATCH', `/models/${body.id}`, { description: 'small and quick' });
    expect([changed.status, changed.body.description]).to.deep.equal([200, 'small and quick']);
  });

  it('are 304 for every kind of item that the caller has already', async () => {
    const model = await made('/models/cloud', { name: 'known', source: 'huggingface', repo_id: 'meta-llama/Known' });
    const cluster = await made('/clusters', {
      ...{ name: 'known', cluster_type: 'ON_PREM', ingress_url: 'https://models.example.org' },
      configuration: 'apiVersion: v1\nkind: Config',
    });
    const { body: me } = await api.admin.get('/auth/me');
    for (const [written, path] of [
      [model, `/models/${model.body.id}`],
      [cluster, `/clusters/${cluster.body.id}`],
      [cluster, `/users/${me.user_id}`],
    ] as const) {
      const first = await api.admin.getAfter(written, path);
      const again = await api.admin.get(path, { 'if-none-match': first.headers.get('etag') ?? '' });
      expect([first.status, again.status, again.body], path).to.deep.equal([200, 304, '']);
    }
  });

  it('tell the sidecar that there are no actors', async () => {
    expect((await api.request('GET', '/dapr/config')).body).to.deep.equal({ entities: [] });
  });
});
