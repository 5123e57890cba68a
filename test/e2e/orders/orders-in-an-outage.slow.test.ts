import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { eventually } from '../../eventually.ts';
import { type Ask, admin } from '../asking.ts';
import { type BudApp, inferenceProcesses, loggedIn, startBudApp } from '../budapp.ts';
import { type ClusterService, createClusterService } from '../cluster-service.ts';
import { aCluster, aModel, settledEndpoint } from '../deployment.ts';

describe('orders while the cluster service is away', function () {
  this.timeout(300_000);
  let dataDir = '';
  let service: ClusterService;
  let budapp: BudApp;
  let ask: Ask;
  let wanted = { name: 'ordered', model_id: '', replicas: 3 };
  let ids = { cluster: '', endpoint: '' };

  const start = async () => {
    budapp = await startBudApp(dataDir, { ...service.env, DELETION_DEADLINE_SECONDS: '2' });
    ({ ask } = await admin(budapp.url));
  };

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'budapp-orders-'));
    service = await createClusterService(dataDir);
    await service.start();
    await start();
    const client = await loggedIn(budapp);
    const [model, cluster] = [await aModel(client, 'angle'), await aCluster(client)];
    wanted = { ...wanted, model_id: model.id };
    const { body, headers } = await ask('POST', '/endpoints', { json: wanted });
    const { status } = await settledEndpoint(client, { body, position: headers.get('position') });
    expect(status).to.equal('running');
    ids = { cluster: cluster.id, endpoint: body.id };
  });

  after(async () => {
    await budapp?.stop();
    await service?.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  const endpoint = async () => (await ask('GET', `/endpoints/${ids.endpoint}`)).body;
  const counts = async () => {
    const [{ status, desired, observed }, cluster] = [
      await endpoint(),
      (await ask('GET', `/clusters/${ids.cluster}`)).body,
    ];
    return {
      status,
      desired: desired.replicas,
      observed: observed?.replicas.available,
      named: observed?.workers.length,
      processes: (await inferenceProcesses(dataDir)).length,
      reserved: cluster.reservations[ids.endpoint]?.replicas,
    };
  };

  it('end with as many replicas as are desired where a scaling down is cancelled in the middle', async () => {
    const { body } = await ask('POST', `/endpoints/${ids.endpoint}/scale`, { json: { replicas: 1 } });
    await eventually('a replica has gone', async () => ((await inferenceProcesses(dataDir)).length < 3 ? true : null));
    const cancelled = await ask('POST', `/workflows/${body.workflow_id}/cancel`);
    expect(cancelled.status).to.be.oneOf([202, 409]);
    const n = cancelled.status === 202 ? 3 : 1;
    await eventually(
      'all counts agree',
      async () => {
        const all = { desired: n, observed: n, named: n, processes: n, reserved: n };
        expect(await counts()).to.deep.equal({ status: 'running', ...all });
        return true;
      },
      { timeoutMs: 120_000 },
    );
    const workflow = (await ask('GET', `/workflows/${body.workflow_id}`)).body;
    expect(workflow.status).to.equal(cancelled.status === 202 ? 'cancelled' : 'succeeded');
  });

  it('are not forgotten: a deletion holds name and capacity until the cluster confirms, over a restart', async () => {
    await service.kill();
    expect((await ask('DELETE', `/endpoints/${ids.endpoint}`)).status).to.equal(202);
    const pending = await eventually('the clean-up is pending', async () => {
      const row = await endpoint();
      return row.reason?.code === 'cleanup-pending' ? row : null;
    });
    expect(pending.status).to.equal('deleting');
    expect(Date.parse(pending.deadline)).to.be.greaterThan(Date.now());
    expect((await counts()).reserved).to.be.greaterThan(0);
    expect((await ask('POST', '/endpoints', { json: { ...wanted, replicas: 1 } })).status).to.equal(409);
    const workflow = (await ask('GET', `/workflows/${pending.rollout.workflow_id}`)).body;
    expect([workflow.status, workflow.reason.code]).to.deep.equal(['running', 'cleanup-pending']);
    expect((await ask('POST', `/workflows/${workflow.id}/cancel`)).body.code).to.equal('workflow-not-cancellable');

    await budapp.kill();
    await start();
    expect((await endpoint()).status).to.equal('deleting');
    await service.start();
    await eventually(
      'it is deleted',
      async () => {
        const { status } = (await ask('GET', `/audit/endpoint/${ids.endpoint}/state`)).body;
        const { reservations } = (await ask('GET', `/clusters/${ids.cluster}`)).body;
        const processes = (await inferenceProcesses(dataDir)).length;
        expect({ status, reservations, processes }).to.deep.equal({
          status: 'deleted',
          reservations: {},
          processes: 0,
        });
        return true;
      },
      { timeoutMs: 120_000 },
    );
    // The endpoint is deleted first, then its workflow ends: two appends, which two read models show.
    await eventually('its workflow has succeeded', async () =>
      (await ask('GET', `/workflows/${workflow.id}`)).body.status === 'succeeded' ? true : null,
    );
  });
});
