import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { z } from 'zod';
import { eventually } from '../eventually.ts';
import { deployRequest } from '../local/cluster/cluster-client.ts';
import type { Json } from '../local/json.ts';
import { type Ask, admin } from './asking.ts';
import { type BudApp, inferenceProcesses, loggedIn, startBudApp } from './budapp.ts';
import { type ClusterService, createClusterService } from './cluster-service.ts';
import { aCluster, aModel, settledEndpoint } from './deployment.ts';

const Clusters = z.object({ items: z.array(z.object({ id: z.string() })) });

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
    const metrics = await ask('GET', `/endpoints/${ids.endpoint}/metrics`);
    expect([metrics.status, metrics.body.code]).to.deep.equal([503, 'service-unavailable']);
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

  const workers = async (): Promise<{ id: string; name: string; pid: number }[]> =>
    (await ask('GET', `/endpoints/${ids.endpoint}/workers`)).body.items ?? [];
  /** desired = observed = workers = processes = reservation */
  const untilAllAgree = (replicas: number) =>
    eventually('all counts agree', async () => {
      const { body: endpoint } = await ask('GET', `/endpoints/${ids.endpoint}`);
      const { body: cluster } = await ask('GET', `/clusters/${ids.cluster}`);
      const counted = {
        status: endpoint.status,
        desired: endpoint.desired.replicas,
        observed: endpoint.observed.replicas.available,
        named: endpoint.observed.workers.length,
        workers: (await workers()).length,
        processes: (await inferenceProcesses(dataDir)).length,
        reserved: cluster.reservations[ids.endpoint].replicas,
      };
      const [desired, observed, named, reserved] = [replicas, replicas, replicas, replicas];
      const all = { desired, observed, named, workers: replicas, processes: replicas, reserved };
      expect(counted).to.deep.equal({ status: 'running', ...all });
      return true;
    });
  /** What the service calls the endpoint's deployment. */
  const deployed = async () => {
    const { items } = Clusters.parse(await service.ask('GET', 'clusters'));
    const [worker] = await workers().catch(() => []);
    return { cluster_id: items[0]?.id ?? '', namespace: worker?.name.replace(/-\d+$/, '') ?? '' };
  };
  const theirs = (workflow_id: string) => ({
    notification_metadata: { name: 'bud-internal', subscriber_ids: 'somebody', workflow_id },
    source_topic: 'budAppMessages',
  });
  const untilRepairs = (count: number) =>
    eventually('so many repairs have succeeded', async () => {
      const { body } = await ask('GET', '/workflows?limit=200');
      const own = body.items.filter(({ kind }: { kind: string }) => kind === 'endpoint-repair');
      expect(own.map(({ status, reason }: Json) => reason ?? status)).to.deep.equal(Array(count).fill('succeeded'));
      return true;
    });

  it('reports a replica that is frozen within seconds', async () => {
    const [first] = await workers();
    process.kill(first?.pid ?? 0, 'SIGSTOP');
    const frozen_at = performance.now();
    const degraded = await until('endpoints', 'degraded');
    expect(degraded.reason.code).to.equal('replicas-missing');
    expect(performance.now() - frozen_at).to.be.below(15_000);
    process.kill(first?.pid ?? 0, 'SIGCONT');
    await untilAllAgree(2);
  });

  it('has a worker replaced that vanished', async () => {
    const [first] = await workers();
    await service.ask('DELETE', 'deployment/worker-info', { worker_id: first?.id, ...theirs('vanish') });
    await eventually('it is gone', async () => (await workers()).every(({ id }) => id !== first?.id));
    await untilAllAgree(2);
    await untilRepairs(1);
    await serves();
  });

  it('has a worker removed that nobody here ordered', async () => {
    const before = await workers();
    const { cluster_id, namespace } = await deployed();
    const request = { ...deployRequest('stray', { cluster_id }), existing_deployment_namespace: namespace };
    await service.ask('POST', 'deployment', request);
    await eventually('it is there', async () => (await workers()).length === 3);
    const degraded = await until('endpoints', 'degraded');
    expect(degraded.reason.code).to.equal('replicas-surplus');
    await untilAllAgree(2);
    expect((await workers()).map(({ id }) => id)).to.have.members(before.map(({ id }) => id));
    await untilRepairs(2);
  });

  it('has an endpoint deployed anew whose deployment vanished', async () => {
    const before = await deployed();
    await service.ask('POST', 'deployment/delete', { ...before, ...theirs('wiped') });
    const degraded = await until('endpoints', 'degraded');
    expect(degraded.reason.code).to.be.oneOf(['deployment-missing', 'replicas-missing']);
    await untilAllAgree(2);
    expect((await deployed()).namespace).to.not.equal(before.namespace);
    await serves();
    await untilRepairs(3);
  });

  it('is given back what it knew after it was wiped', async () => {
    const before = await deployed();
    await service.wipe();
    await service.start();
    await eventually('it has the cluster and the deployment under other names', async () => {
      const after = await deployed();
      return after.cluster_id !== before.cluster_id && after.namespace !== '' && after.namespace !== before.namespace;
    });
    await untilRunning();
    await untilAllAgree(2);
    await serves();
    const { body } = await ask('GET', `/workflows?limit=200`);
    const again = body.items.filter(({ kind }: Json) => kind === 'cluster-reregistration');
    expect(again.map(({ reason, status }: Json) => reason ?? status)).to.deep.equal(['succeeded']);
  });
});
