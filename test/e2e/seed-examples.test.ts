import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Client } from '../../src/demo/client.ts';
import { eventually } from '../eventually.ts';
import { type Ask, admin, asking, expectProblem } from './asking.ts';
import { type BudApp, inferenceProcesses, loggedIn, startBudApp } from './budapp.ts';
import { aCluster, aModel, settledEndpoint } from './deployment.ts';

/** The workflow of the system that this one re-implements: its bodies, letter by letter, with real ids put in. */
describe("the seed's example workflow", function () {
  this.timeout(300_000);
  let dataDir = '';
  let budapp: BudApp;
  let client: Client;
  let ask: Ask;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'budapp-seed-'));
    budapp = await startBudApp(dataDir);
    client = await loggedIn(budapp);
    ({ ask } = await admin(budapp.url));
  });

  after(async () => {
    await budapp.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  it('registers a cloud model, and says honestly what is known of it', async () => {
    const json = { name: 'llama-2-7b', source: 'huggingface', repo_id: 'meta-llama/Llama-2-7b' };
    const { status, body, headers } = await ask('POST', '/models/cloud', { json });
    expect(status, JSON.stringify(body)).to.equal(202);
    expect(headers.get('location')).to.equal(`/models/${body.id}`);
    const model = await eventually('the onboarding ends', async () => {
      const reply = await ask('GET', `/models/${body.id}`);
      return reply.status === 404 || reply.body.status === 'onboarding' ? null : reply.body;
    });
    expect(model.status, model.reason?.message).to.be.oneOf(['active', 'failed']);
    if (model.status === 'failed') expect(model.reason.message).to.be.a('string').and.not.equal('');
    // Nobody read the weights here: a number of parameters would be made up.
    else expect(model.metadata.num_params).to.equal(null);
  });

  it('creates an endpoint with a model and a cluster, and shows how the deployment goes', async () => {
    const model = await aModel(client, 'a real one');
    const cluster = await aCluster(client);
    const json = { name: 'llama-endpoint', model_id: model.id, cluster_id: cluster.id, replicas: 2 };
    const accepted = await ask('POST', '/endpoints', { json });
    expect(accepted.status, JSON.stringify(accepted.body)).to.equal(202);
    const position = accepted.headers.get('position') ?? '';
    expect(accepted.headers.get('location')).to.equal(`/endpoints/${accepted.body.id}`);

    const path = `/endpoints/${accepted.body.id}/status`;
    const early = await ask('GET', path, { headers: { 'min-position': position } });
    expect(early.status).to.equal(200);
    expect(early.body.status).to.be.oneOf(['pending', 'placing', 'deploying', 'running']);
    expect((await settledEndpoint(client, { body: accepted.body, position })).status).to.equal('running');
    const late = await eventually('the status shows it', async () => {
      const { body } = await ask('GET', path);
      return body.status === 'running' && body.progress === 1 ? body : null;
    });
    expect(late.observed.replicas).to.include({ total: 2, available: 2 });
    expect(late.steps.map(({ status }: { status: string }) => status))
      .to.include('succeeded')
      .and.not.include('failed');

    // One correlation from the request to where the deployment is now, through every callback of the services.
    const first = await ask('GET', `/audit/endpoint/${accepted.body.id}?limit=1`);
    const chain = `/audit/events?limit=200&correlation_id=${first.body.items[0].correlation_id}`;
    const types = await eventually('the workflow has ended', async () => {
      const { body } = await ask('GET', chain);
      const seen: string[] = body.items.map(({ event_type }: { event_type: string }) => event_type);
      return seen.includes('WorkflowSucceeded') ? seen : null;
    });
    expect(types).to.include.members([
      ...['EndpointRequested', 'WorkflowStarted', 'WorkflowStepSucceeded', 'CapacityReserved'],
      ...['EndpointPlaced', 'EndpointDeployed', 'WorkflowSucceeded'],
    ]);

    const { body: project } = await ask('GET', '/auth/me');
    expect(accepted.body.project_id).to.equal(project.default_project_id);
    expect((await ask('DELETE', `/endpoints/${accepted.body.id}`)).status).to.equal(202);
    await eventually('its processes are gone', async () =>
      (await inferenceProcesses(dataDir)).length === 0 ? true : null,
    );
  });

  it('says that a model from the cloud cannot be served by a cluster that only has files', async () => {
    const { body } = await ask('GET', '/models?name=llama-2-7b');
    const [model] = body.items;
    if (model.status !== 'active') return;
    const reply = await ask('POST', '/endpoints', { json: { name: 'from-the-cloud', model_id: model.id } });
    if (reply.status === 409) return expectProblem(reply, 409, reply.body.code);
    const position = reply.headers.get('position');
    const endpoint = await settledEndpoint(client, { body: reply.body, position });
    expect(endpoint.status).to.equal('failed');
    expect(endpoint.reason?.message).to.be.a('string').and.not.equal('');
  });

  it('serves its operations without a token', async () => {
    const nobody = asking(budapp.url);
    for (const path of ['/health', '/health/ready', '/docs', '/openapi.json', '/version', '/metrics']) {
      expect((await nobody('GET', path)).status, path).to.equal(200);
    }
    const { body } = await nobody('GET', '/openapi.json');
    expect(body.openapi).to.match(/^3\.1/);
  });
});
