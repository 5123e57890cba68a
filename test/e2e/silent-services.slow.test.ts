import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Client } from '../../src/demo/client.ts';
import type { EndpointView } from '../../src/demo/story.ts';
import { eventually } from '../eventually.ts';
import { type Ask, admin } from './asking.ts';
import { type BudApp, inferenceProcesses, loggedIn, startBudApp } from './budapp.ts';
import { aCluster, aModel, settledEndpoint } from './deployment.ts';

/** A service that takes every call, and never calls back. */
const silentService = async (): Promise<{ url: string; server: Server; calls: string[] }> => {
  const calls: string[] = [];
  const server = createServer((request, response) => {
    calls.push(`${request.method} ${request.url}`);
    request.resume();
    request.once('end', () => {
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({
          object: 'workflow_metadata',
          workflow_id: crypto.randomUUID(),
          workflow_name: 'silent',
          status: 'PENDING',
          eta: 14,
          steps: [],
        }),
      );
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, calls };
};

/** Nothing listens there: it was free a moment ago. */
const deadUrl = async (): Promise<string> => {
  const { url, server } = await silentService();
  await new Promise((done) => server.close(done));
  return url;
};

describe('services that do not answer', function () {
  this.timeout(300_000);
  let dataDir = '';
  let budapp: BudApp;
  let client: Client;
  let ask: Ask;
  let silent: Awaited<ReturnType<typeof silentService>>;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'budapp-silent-'));
    silent = await silentService();
    await start();
    expect((await aModel(client, 'patient')).status).to.equal('active');
    expect((await aCluster(client)).status).to.equal('available');
  });

  after(async () => {
    await budapp.stop();
    silent.server.closeAllConnections();
    silent.server.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  const start = async (env: Record<string, string> = {}) => {
    budapp = await startBudApp(dataDir, env);
    client = await loggedIn(budapp);
    ({ ask } = await admin(budapp.url));
  };

  const restart = async (env: Record<string, string>) => {
    await budapp.stop();
    await start(env);
  };

  const only = async (area: 'models' | 'clusters') => (await ask('GET', `/${area}?limit=1`)).body.items[0];

  const deployed = async (name: string): Promise<EndpointView> => {
    const json = { name, model_id: (await only('models')).id, replicas: 1 };
    const { status, body, headers } = await ask('POST', '/endpoints', { json });
    expect(status, JSON.stringify(body)).to.equal(202);
    expect(body.deadline).to.be.a('string');
    return settledEndpoint(client, { body, position: headers.get('position') });
  };

  const expectFailed = async (endpoint: EndpointView) => {
    expect(endpoint.status).to.equal('failed');
    expect(endpoint.reason?.code).to.be.a('string').and.not.equal('');
    expect(endpoint.reason?.message).to.be.a('string').and.not.equal('');
    const { body: cluster } = await ask('GET', `/audit/cluster/${(await only('clusters')).id}/state`);
    expect(cluster.reservations).to.deep.equal({});
    const workflow = await eventually('its workflow ends', async () => {
      const { status, body } = await ask('GET', `/workflows/${endpoint.rollout.workflow_id}`);
      return status === 404 || body.status === 'running' ? null : body;
    });
    expect(workflow.status).to.equal('failed');
    expect(workflow.deadline).to.equal(null);
    expect(await inferenceProcesses(dataDir)).to.deep.equal([]);
  };

  it('fails a deployment with a reason when the simulator never calls back, and holds nothing', async () => {
    await restart({ BUDSIM_SERVICE_URL: silent.url, PLACEMENT_DEADLINE_SECONDS: '2' });
    const endpoint = await deployed('waiting');
    expect(silent.calls).to.include('POST /simulator/run');
    await expectFailed(endpoint);
    expect(endpoint.reason?.code).to.match(/deadline|time|late/);
  });

  it('fails a deployment with a reason when the simulator cannot be reached, the name being free again', async () => {
    const url = await deadUrl();
    await restart({ BUDSIM_SERVICE_URL: url, PLACEMENT_DEADLINE_SECONDS: '2' });
    await expectFailed(await deployed('waiting'));
  });

  it('counts the deadline on while the server is down', async () => {
    await restart({
      BUDSIM_SERVICE_URL: silent.url,
      PLACEMENT_DEADLINE_SECONDS: '3',
      DEPLOYMENT_DEADLINE_SECONDS: '3',
    });
    const json = { name: 'overslept', model_id: (await only('models')).id, replicas: 1 };
    const { body, headers } = await ask('POST', '/endpoints', { json });
    await eventually('it is being placed', async () =>
      (await ask('GET', `/audit/endpoint/${body.id}/state`)).body.status === 'placing' ? true : null,
    );
    await budapp.kill();
    await eventually('its deadline passes', async () => (Date.now() > Date.parse(body.deadline) ? true : null));
    await start({ BUDSIM_SERVICE_URL: silent.url });
    await expectFailed(await settledEndpoint(client, { body, position: headers.get('position') }));
  });

  it('fails a model and a cluster with a reason when nobody calls back, and gives their names back', async () => {
    await restart({
      BUDMODEL_SERVICE_URL: silent.url,
      BUDCLUSTER_SERVICE_URL: silent.url,
      CLUSTER_CONFIGURATION: 'any',
      MODEL_ONBOARDING_DEADLINE_SECONDS: '1',
      CLUSTER_ONBOARDING_DEADLINE_SECONDS: '1',
    });
    const register = async () => {
      const { body, headers } = await ask('POST', '/clusters', { json: { name: 'mute', configuration: '#' } });
      return eventually('it settles', async () => {
        const at = { 'min-position': headers.get('position') ?? '' };
        const state = await ask('GET', `/audit/cluster/${body.id}/state`, { headers: at });
        return /^(registering|deleting)$/.test(state.body.status) ? null : state.body;
      });
    };
    for (const attempt of ['the first time', 'the second time']) {
      const [model, cluster] = await Promise.all([aModel(client, 'never read'), register()]);
      expect([model.status, cluster.status], attempt).to.deep.equal(['failed', 'error']);
      expect(model.reason?.message).to.be.a('string');
      expect(cluster.reason.message).to.be.a('string');
    }
    expect(silent.calls).to.include('POST /model-info/extract').and.include('POST /cluster');
  });

  it('says which service does not answer in /health/ready', async () => {
    await restart({ BUDSIM_SERVICE_URL: await deadUrl() });
    const { status, body } = await ask('GET', '/health/ready');
    expect(status).to.be.oneOf([200, 503]);
    expect(JSON.stringify(body)).to.include('budsim');
  });
});
