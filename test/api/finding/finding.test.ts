import { expect } from 'chai';
import { streamOf } from '../../../src/events/catalog.ts';
import { ClusterId, EndpointId, ModelId, newId, ProjectId, WorkflowId } from '../../../src/events/ids.ts';
import { fact } from '../../commands/fixture.ts';
import { anEvent } from '../../projections/facts.ts';
import { TENANT } from '../fake-identity.ts';
import { type RunningApi, startApi } from '../running-api.ts';

describe('finding what one looks for', () => {
  let api: RunningApi;
  before(async () => {
    api = await startApi();
  });
  after(() => api.close());

  it('finds workflows by their target, its area and the project', async () => {
    const { log } = api.services;
    const [project_id, other_project] = [newId(ProjectId), newId(ProjectId)];
    const targets = [
      { area: 'endpoint', id: newId(EndpointId), project_id },
      { area: 'endpoint', id: newId(EndpointId), project_id: other_project },
      { area: 'model', id: newId(ModelId), project_id },
      { area: 'cluster', id: newId(ClusterId), project_id: null },
    ] as const;
    for (const { area, id, project_id } of targets) {
      const workflow_id = newId(WorkflowId);
      const started = fact('WorkflowStarted', { workflow_id, target: { area, id, name: area }, project_id });
      await log.append(streamOf('workflow', workflow_id), [anEvent(started, { tenant_id: TENANT })], {
        expected: 'none',
      });
    }
    const min_position = await log.head();
    const found = async (query: string): Promise<string[]> => {
      const { body } = await api.admin.get(`/workflows?min_position=${min_position}&sort=created_at&${query}`);
      return body.items.map(({ target }: { target: { id: string } }) => target.id);
    };
    const [first, second, third, fourth] = targets.map(({ id }) => id);
    expect(await found(`target_area=endpoint&target_id=${first}`)).to.deep.equal([first]);
    expect(await found(`target_id=${third}`)).to.deep.equal([third]);
    expect(await found('target_area=endpoint')).to.deep.equal([first, second]);
    expect(await found('target_area=model&target_area=cluster')).to.deep.equal([third, fourth]);
    expect(await found(`project_id=${project_id}`)).to.deep.equal([first, third]);
    expect(await found(`target_area=cluster&target_id=${first}`)).to.deep.equal([]);
    const refused = await api.admin.get('/workflows?target_area=user');
    expect(refused.status).to.equal(400);
  });

  it('finds in the audit log what a request did, by its own X-Request-Id', async () => {
    const id = 'my-script.42:1';
    const made = await api.admin.post('/projects', { name: 'asked' }, { 'x-request-id': id });
    expect(made.headers.get('x-request-id')).to.equal(id);
    const { body } = await api.admin.get(`/audit/events?request_id=${id}`);
    const types = body.items.map(({ event_type }: { event_type: string }) => event_type);
    expect(types).to.deep.equal(['ProjectCreated', 'NameReserved']);
    expect(body.items[0].request_id).to.equal(id);
  });

  it('finds it by the id that was made, too, where the own one is none', async () => {
    const made = await api.admin.post('/projects', { name: 'unasked' }, { 'x-request-id': `${'x'.repeat(129)}` });
    const id = made.headers.get('x-request-id') ?? '';
    expect(id).to.have.length(36);
    const { body } = await api.admin.get(`/audit/events?request_id=${id}&event_type=ProjectCreated`);
    expect(body.items).to.have.length(1);
    const strange = await api.admin.get(`/audit/events?request_id=${encodeURIComponent('a b<script>')}`);
    expect(strange.status).to.equal(400);
  });

  it('tells who opens /stream without an upgrade what it is', async () => {
    const { status, headers, body } = await api.request('GET', '/stream?from=now');
    expect([status, headers.get('upgrade'), body.code]).to.deep.equal([426, 'websocket', 'upgrade-required']);
    const { paths } = (await api.request('GET', '/openapi.json')).body;
    expect(Object.keys(paths['/stream'].get.responses)).to.include.members(['101', '426']);
  });

  it('shows a person who opens the address where to go, and a program the same', async () => {
    const page = await api.request('GET', '/', { headers: { accept: 'text/html,*/*;q=0.8' } });
    expect(page.headers.get('content-type')).to.contain('text/html');
    const links = await api.request('GET', '/', { headers: { accept: 'application/json' } });
    expect(links.body).to.include({ docs: '/docs', health: '/health/ready' });
    for (const path of ['/docs', '/openapi.json', '/health/ready', '/version']) {
      expect(page.body).to.contain(`href="${path}"`);
      expect(Object.values(links.body)).to.contain(path);
      expect((await api.request('GET', path)).status).to.equal(200);
    }
  });
});
