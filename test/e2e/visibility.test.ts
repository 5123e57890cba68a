import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createClient } from '../../src/demo/client.ts';
import { openLiveStream } from '../../src/demo/live-stream.ts';
import type { EndpointView, ModelView } from '../../src/demo/story.ts';
import { checkedFetch } from '../api/checked-fetch.ts';
import { admin, asking, expectProblem, newcomer, type Person } from './asking.ts';
import { type BudApp, loggedIn, startBudApp } from './budapp.ts';
import { aCluster, aModel, settledEndpoint } from './deployment.ts';

interface Owned {
  project_id: string;
  endpoint: EndpointView;
  workflow_id: string;
  position: string;
}

describe("another one's project", function () {
  this.timeout(300_000);
  let dataDir = '';
  let budapp: BudApp;
  let ada: Person;
  let eve: Person;
  let model: ModelView;
  let owned: Owned;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'budapp-visibility-'));
    budapp = await startBudApp(dataDir);
    const client = await loggedIn(budapp);
    model = await aModel(client, 'shared');
    expect((await aCluster(client)).status).to.equal('available');
    ada = await newcomer(budapp.url, 'ada');
    eve = await newcomer(budapp.url, 'eve');
    const project = await ada.ask('POST', '/projects', { json: { name: 'secret plans' } });
    expect(project.status).to.equal(201);
    const project_id: string = project.body.id;
    const json = { project_id, name: 'veiled', model_id: model.id, replicas: 1 };
    const accepted = await ada.ask('POST', '/endpoints', { json });
    expect(accepted.status, JSON.stringify(accepted.body)).to.equal(202);
    const endpoint = await settledEndpoint(client, { body: accepted.body, position: accepted.headers.get('position') });
    expect(endpoint.status, endpoint.reason?.message).to.equal('running');
    owned = { project_id, endpoint, workflow_id: accepted.body.workflow_id, position: endpoint.position };
  });

  after(async () => {
    await budapp.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  it('is not in any list of a stranger, and in those of its owner', async () => {
    const { project_id, endpoint, workflow_id, position } = owned;
    for (const [path, id] of [
      ['/projects', project_id],
      ['/endpoints', endpoint.id],
      ['/workflows', workflow_id],
    ] as const) {
      const query = `${path}?limit=200&min_position=${position}`;
      const idsOf = async ({ ask }: Person) =>
        (await ask('GET', query)).body.items.map((item: { id: string }) => item.id);
      expect(await idsOf(ada), path).to.include(id);
      expect(await idsOf(eve), path).not.to.include(id);
    }
    const filtered = await eve.ask('GET', `/endpoints?project_id=${project_id}`);
    expect(filtered.body.items ?? []).to.deep.equal([]);
  });

  it('does not exist for a stranger who knows its ids: neither item, status, history, state nor metrics', async () => {
    const { project_id, endpoint, workflow_id } = owned;
    for (const path of [
      `/projects/${project_id}`,
      `/projects/${project_id}/members`,
      `/endpoints/${endpoint.id}`,
      `/endpoints/${endpoint.id}/status`,
      `/endpoints/${endpoint.id}/workers`,
      `/endpoints/${endpoint.id}/workers/x/logs`,
      `/endpoints/${endpoint.id}/metrics`,
      `/workflows/${workflow_id}`,
      `/audit/project/${project_id}`,
      `/audit/endpoint/${endpoint.id}`,
      `/audit/endpoint/${endpoint.id}/state`,
      `/audit/workflow/${workflow_id}`,
    ]) {
      const reply = await eve.ask('GET', path);
      expect(reply.status, `${path} ${JSON.stringify(reply.body)}`).to.equal(404);
      expect(JSON.stringify(reply.body)).not.to.match(/secret plans|veiled/);
      expect((await ada.ask('GET', path)).status, path).to.be.oneOf(path.includes('/x/') ? [404] : [200]);
    }
  });

  it('cannot be changed by a stranger, and looks as if it did not exist', async () => {
    const { project_id, endpoint, workflow_id } = owned;
    const attempts: [string, string, object?][] = [
      ['PATCH', `/projects/${project_id}`, { name: 'mine now' }],
      ['DELETE', `/projects/${project_id}`],
      ['POST', `/projects/${project_id}/members`, { user_id: project_id, scopes: ['endpoint:view'] }],
      ['POST', `/endpoints/${endpoint.id}/scale`, { replicas: 2 }],
      ['PUT', `/endpoints/${endpoint.id}`, { replicas: 2 }],
      ['DELETE', `/endpoints/${endpoint.id}`],
      ['POST', `/workflows/${workflow_id}/cancel`],
      ['POST', '/endpoints', { project_id, name: 'intruder', model_id: model.id }],
      ['POST', '/commands/DeleteEndpoint', { endpoint_id: endpoint.id }],
      ['POST', '/commands/ScaleEndpoint', { endpoint_id: endpoint.id, replicas: 2 }],
      ['POST', `/models/${model.id}/deploy`, { project_id, name: 'intruder' }],
    ];
    for (const [method, path, json] of attempts) {
      const reply = await eve.ask(method, path, json ? { json } : {});
      expect(reply.status, `${method} ${path} ${JSON.stringify(reply.body)}`).to.equal(404);
      expect(JSON.stringify(reply.body)).not.to.match(/secret plans|veiled/);
    }
    const { body } = await ada.ask('GET', `/endpoints/${endpoint.id}`);
    expect(body).to.include({ status: 'running', revision: owned.endpoint.revision });
  });

  it('is in no audit list of a stranger, whatever the filter, nor an event by its position', async () => {
    const { project_id, endpoint } = owned;
    const seen = async ({ ask }: Person, filter: string) => (await ask('GET', `/audit/events?limit=200${filter}`)).body;
    for (const filter of ['', `&project_id=${project_id}`, `&resource_id=${endpoint.id}`, '&area=endpoint']) {
      const text = JSON.stringify(await seen(eve, filter));
      expect(text, filter).not.to.match(/secret plans|veiled/);
      expect(text, filter).not.to.include(endpoint.id);
    }
    const { items } = await seen(ada, `&resource_id=${endpoint.id}`);
    expect(items).not.to.deep.equal([]);
    for (const { position } of items.slice(0, 3)) {
      expectProblem(await eve.ask('GET', `/audit/events/${position}`), 404, 'event-not-found');
      expect((await ada.ask('GET', `/audit/events/${position}`)).status).to.equal(200);
    }
  });

  it('is not in the live stream of a stranger, from the start on, nor live', async () => {
    const clientOf = ({ token }: Person) => ({ ...createClient(budapp.url, checkedFetch), token });
    const [own, foreign] = [await openLiveStream(clientOf(ada), 'start'), await openLiveStream(clientOf(eve), 'start')];
    const seen: string[] = [];
    const subjects: string[] = [];
    await own.until(
      [owned.endpoint.id],
      ({ type }) => type.endsWith('endpoint-deployed'),
      () => {},
    );
    const renamed = await ada.ask('PATCH', `/projects/${owned.project_id}`, { json: { description: 'veiled too' } });
    expect(renamed.status).to.equal(200);
    // What both see ends the wait: all before it has then been shown, or withheld.
    const last = await eve.ask('POST', '/projects', { json: { name: 'of eve' } });
    await foreign.until(
      [''],
      ({ subject }) => subject.endsWith(last.body.id),
      (frame) => {
        seen.push(JSON.stringify(frame));
        subjects.push(frame.subject);
      },
    );
    own.close();
    foreign.close();
    expect(seen.join('\n')).to.include(last.body.id);
    expect(seen.join('\n')).not.to.match(/secret plans|veiled/);
    expect(seen.join('\n')).not.to.include(owned.project_id);
    for (const id of [owned.endpoint.id, owned.workflow_id]) {
      expect(subjects.filter((subject) => subject.endsWith(id))).to.deep.equal([]);
    }
  });

  it('does not open through a filter on the stream either', async () => {
    const reply = await asking(budapp.url, 'nonsense')('GET', `/stream/events?project=${owned.project_id}`);
    expect(reply.status).to.equal(401);
  });

  it('gives its model names away to no one, but is open to an administrator', async () => {
    const { ask } = await admin(budapp.url);
    expect((await ask('GET', `/endpoints/${owned.endpoint.id}`)).status).to.equal(200);
    const use = await eve.ask('GET', `/models/${model.id}`);
    expect(use.status).to.equal(200);
    const deletion = await eve.ask('DELETE', `/models/${model.id}`);
    expectProblem(deletion, 409, 'model-in-use');
    expect(JSON.stringify(deletion.body), 'the endpoint of another project').not.to.include('veiled');
  });

  it('lets nobody who is not an administrator administer', async () => {
    for (const [method, path, json] of [
      ['POST', '/clusters', { name: 'evil', configuration: '#' }],
      ['GET', '/users'],
      ['GET', '/operations/projections'],
      ['POST', '/operations/projections/endpoints/rebuild'],
    ] as const) {
      const reply = await eve.ask(method, path, json ? { json } : {});
      expect(reply.status, `${method} ${path}: ${JSON.stringify(reply.body).slice(0, 200)}`).to.be.oneOf([403, 404]);
    }
  });
});
