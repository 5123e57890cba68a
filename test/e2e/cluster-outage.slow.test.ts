import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { eventually } from '../eventually.ts';
import { type Ask, admin } from './asking.ts';
import { type BudApp, loggedIn, startBudApp } from './budapp.ts';
import { type ClusterService, createClusterService } from './cluster-service.ts';
import { aCluster, aModel, settledEndpoint } from './deployment.ts';

describe('a cluster service that is lost', function () {
  this.timeout(300_000);
  let dataDir = '';
  let service: ClusterService;
  let budapp: BudApp;
  let ask: Ask;
  let ids = { cluster: '', endpoint: '' };

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'budapp-outage-'));
    service = await createClusterService(dataDir);
    await service.start();
    budapp = await startBudApp(dataDir, service.env);
    const client = await loggedIn(budapp);
    ({ ask } = await admin(budapp.url));
    const [model, cluster] = [await aModel(client, 'angle'), await aCluster(client)];
    const json = { name: 'steady', model_id: model.id, replicas: 2 };
    const { body, headers } = await ask('POST', '/endpoints', { json });
    await settledEndpoint(client, { body, position: headers.get('position') });
    ids = { cluster: cluster.id, endpoint: body.id };
    await untilRunning();
  });

  after(async () => {
    await budapp?.stop();
    await service?.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  const statusOf = async (area: 'clusters' | 'endpoints') => {
    const id = area === 'clusters' ? ids.cluster : ids.endpoint;
    return (await ask('GET', `/${area}/${id}/status`)).body;
  };
  const until = (area: 'clusters' | 'endpoints', status: string) =>
    eventually(`${area} are ${status}`, async () => {
      const body = await statusOf(area);
      expect(body).to.include({ status });
      return body;
    });
  const untilRunning = async () => {
    expect(await until('clusters', 'available')).to.include({ reason: null, deadline: null });
    const endpoint = await until('endpoints', 'running');
    expect(endpoint.observed.replicas).to.include({ total: 2, available: 2 });
    return endpoint;
  };
  const untilUnknown = async () => {
    const cluster = await until('clusters', 'unavailable');
    expect(cluster.reason).to.include({ code: 'no-report' });
    const endpoint = await until('endpoints', 'unknown');
    expect(endpoint.reason).to.include({ code: 'no-report' });
    expect(endpoint.deadline).to.be.a('string');
    expect(endpoint.since).to.be.a('string');
    expect(Date.parse(endpoint.observed.last_proof_at)).to.be.lessThan(Date.parse(endpoint.since));
    return endpoint;
  };
  const serves = async () => {
    const { url } = await statusOf('endpoints');
    expect((await fetch(`${url}/v2/health/ready`)).status).to.equal(200);
  };

  it('is noticed when it is killed, and all is true again when it is back', async () => {
    await service.kill();
    await untilUnknown();
    await service.start();
    await untilRunning();
    await serves();
  });

  it('is noticed when it is frozen, over a restart of BudApp, and all is true again when it goes on', async () => {
    service.freeze();
    const before = await untilUnknown();
    await budapp.kill();
    budapp = await startBudApp(dataDir, service.env);
    ({ ask } = await admin(budapp.url));
    expect((await untilUnknown()).observed.last_proof_at).to.equal(before.observed.last_proof_at);
    service.thaw();
    await untilRunning();
    await serves();
  });
});
