import { expect } from 'chai';
import type { Caller } from '../../src/commands/access.ts';
import { findCommand } from '../../src/commands/catalog.ts';
import { type Recorded, toFact } from '../../src/events/catalog.ts';
import { ClusterId, CommandId, newId, TenantId, UserId } from '../../src/events/ids.ts';
import { type TestDatabase, testDatabase } from '../postgres.ts';
import { openServiceDouble, type ServiceDouble } from './service-double.ts';
import { openSystem, type System } from './system.ts';

const tenant_id = newId(TenantId);
const user_id = newId(UserId);
const somebody: Caller = {
  tenant_id,
  actor: { type: 'user', id: user_id, name: 'somebody' },
  access: { role: 'admin', scopes: new Set(), projects: new Map() },
  user_id,
};
const aService: Caller = {
  tenant_id,
  actor: { type: 'service', id: 'budcluster', name: 'budcluster' },
  access: 'system',
  user_id: null,
};

const node = {
  name: 'n1',
  status: 'Ready',
  devices: [{ type: 'cpu', available_count: 4, cores: 4, memory_mib: 8192 }],
};
const deployment = {
  namespace: 'bud-ocr-1',
  result: { deployment_url: 'http://127.0.0.1:9000/ocr' },
  deployment_status: {
    status: 'ready',
    ingress_health: true,
    replicas: { total: 2, available: 2, failed: 0, pending: 0 },
    worker_data_list: [],
  },
};

describe('the processes with the real commands', () => {
  let database: TestDatabase;
  let service: ServiceDouble;
  let system: System;
  let runner: { close(): Promise<void> };

  beforeEach(async () => {
    database = await testDatabase();
    service = await openServiceDouble();
    system = await openSystem({ connection_string: database.connection_string, url: service.url });
    runner = system.run('a');
  });
  afterEach(async () => {
    await runner.close();
    await service.close();
    await system.close();
    await database.close();
  });

  const perform = async (type: string, data: object, caller: Caller = somebody) => {
    const command = findCommand(type);
    if (!command) throw new Error(`no command ${type}`);
    const command_id = newId(CommandId);
    const outcome = await system.handle(command, data, { caller, command_id, correlation_id: command_id });
    return outcome.state as { workflow_id: string };
  };
  const until = async <Type extends Recorded['type']>(
    type: Type,
    workflow_id: string,
  ): Promise<Extract<Recorded, { type: Type }>> => {
    for await (const item of system.log.subscribe({ after: 'start', live: true })) {
      if ('caughtUp' in item || item.type !== type) continue;
      const fact = toFact(item) as Extract<Recorded, { type: Type }>;
      if ('workflow_id' in fact.data && fact.data.workflow_id === workflow_id) return fact;
    }
    throw new Error('the log ended');
  };
  const report = (workflow_id: string, message_type: string, result: unknown) =>
    perform(
      'RecordServiceMessage',
      { workflow_id, message_id: 'm', message_type, message_event: 'results', status: 'COMPLETED', result },
      aService,
    );
  const callAnswered = async (workflow_id: string, call: string) => {
    for await (const item of system.log.subscribe({ after: 'start', live: true })) {
      if ('caughtUp' in item || item.type !== 'WorkflowCallAnswered') continue;
      const fact = toFact(item) as Extract<Recorded, { type: 'WorkflowCallAnswered' }>;
      if (fact.data.workflow_id === workflow_id && fact.data.call === call) return;
    }
  };

  const first = async <Type extends Recorded['type']>(type: Type): Promise<Extract<Recorded, { type: Type }>> => {
    for await (const item of system.log.subscribe({ after: 'start', live: true })) {
      if (!('caughtUp' in item) && item.type === type) return toFact(item) as Extract<Recorded, { type: Type }>;
    }
    throw new Error('the log ended');
  };
  /** Lets the time of a timer come. */
  const fire = (timer: string, workflow_id: string) =>
    system.pool.query('update process_timers set due_at = now() where timer = $1 and instance_id = $2', [
      timer,
      workflow_id,
    ]);

  const onboard = async () => {
    const { project_id } = (await perform('CreateProject', { name: 'demo' })) as unknown as { project_id: string };
    const model = (await perform('RegisterCloudModel', { name: 'ocr', repo_id: 'org/ocr' })) as unknown as {
      model_id: string;
      workflow_id: string;
    };
    await until('WorkflowSucceeded', model.workflow_id);
    const cluster = (await perform('RegisterCluster', { name: 'local', configuration: 'kind: Config' })) as unknown as {
      cluster_id: string;
      workflow_id: string;
    };
    await callAnswered(cluster.workflow_id, 'cluster.register');
    await report(cluster.workflow_id, 'register_cluster', { id: 'bud-1', nodes: [node] });
    await until('WorkflowSucceeded', cluster.workflow_id);
    const cluster_id = ClusterId.parse(cluster.cluster_id);
    system.clusters.push({ cluster_id, bud_cluster_id: 'bud-1', name: 'local' });
    return { project_id, model_id: model.model_id, cluster_id };
  };
  const deploy = async () => {
    const known = await onboard();
    const { project_id, model_id } = known;
    const endpoint = (await perform('DeployModel', {
      project_id,
      model_id,
      name: 'ocr-prod',
      replicas: 2,
    })) as unknown as {
      endpoint_id: string;
      workflow_id: string;
    };
    await callAnswered(endpoint.workflow_id, 'simulator.run');
    await report(endpoint.workflow_id, 'get_cluster_recommendations', {
      recommendations: [{ cluster_id: 'bud-1', metrics: {} }],
    });
    await callAnswered(endpoint.workflow_id, 'cluster.deploy');
    return { ...known, ...endpoint };
  };

  it('bring an endpoint up, scale it, and take it down again', async () => {
    service.answer = ({ path }) => {
      if (path.startsWith('/model-info/cloud-model')) return { status: 200, body: { model_info: { author: 'us' } } };
      if (path.startsWith('/deployment/worker-info?'))
        return { status: 200, body: { workers: [{ id: 'w1', name: 'w1', status: 'Running' }] } };
      return { status: 200, body: { workflow_id: 'theirs-1' } };
    };
    const { endpoint_id, workflow_id } = await deploy();
    await report(workflow_id, 'deploy_model', deployment);
    await until('WorkflowSucceeded', workflow_id);

    const scaling = await perform('ScaleEndpoint', { endpoint_id, replicas: 1 });
    await until('WorkflowSucceeded', scaling.workflow_id);
    expect((await until('CapacityReserved', scaling.workflow_id)).data.replicas).to.equal(1);

    const deletion = await perform('DeleteEndpoint', { endpoint_id });
    await callAnswered(deletion.workflow_id, 'cluster.delete-deployment');
    await report(deletion.workflow_id, 'delete_deployment', null);
    await until('WorkflowSucceeded', deletion.workflow_id);
    await until('CapacityReleased', deletion.workflow_id);
  });

  it('cancel a deployment, give everything back, and take a late success back', async () => {
    service.answer = ({ path }) => {
      if (path.startsWith('/model-info/cloud-model')) return { status: 200, body: { model_info: {} } };
      return { status: 200, body: { workflow_id: 'theirs-1' } };
    };
    const { workflow_id } = await deploy();
    await perform('CancelWorkflow', { workflow_id });
    await until('WorkflowCancelled', workflow_id);
    await until('CapacityReleased', workflow_id);
    expect((await until('EndpointCancelled', workflow_id)).data.reason.code).to.equal('cancelled');
    expect(service.asked.map(({ path }) => path)).to.include('/deployment/cancel/theirs-1');
    const asked = service.asked.length;
    await report(workflow_id, 'deploy_model', deployment);
    await service.count(asked + 1);
    expect(service.asked.at(-1)?.path).to.equal('/deployment/delete');
    expect(JSON.parse(service.asked.at(-1)?.body ?? '')).to.include({ namespace: 'bud-ocr-1' });
  });

  it('look after a cluster that is unavailable until it is back', async () => {
    let status = 'unreachable';
    service.answer = ({ path }) => {
      if (path.startsWith('/model-info/cloud-model')) return { status: 200, body: { model_info: {} } };
      if (path.endsWith('/health')) return { status: 200, body: { status } };
      if (path.endsWith('/nodes')) return { status: 200, body: { nodes: [node] } };
      return { status: 200, body: { workflow_id: 'theirs-1' } };
    };
    const { cluster_id } = await onboard();
    await perform('RecordClusterStatus', { cluster_id, available: false }, aService);
    const late = (await first('ClusterBecameUnavailable')).data.recovery?.workflow_id ?? 'none';
    await until('WorkflowStepStarted', late);
    await fire('deadline', late);
    await until('WorkflowFailed', late);
    const workflow_id = (await first('ClusterRecoveryOverdue')).data.recovery?.workflow_id ?? 'none';
    await until('WorkflowStepStarted', workflow_id);
    await fire('check', workflow_id);
    await callAnswered(workflow_id, 'cluster.health');
    status = 'available';
    await fire('check', workflow_id);
    expect((await first('ClusterBecameAvailable')).data.recovery_id).to.equal(workflow_id);
    await until('WorkflowSucceeded', workflow_id);
  });

  describe('for an endpoint that is degraded', () => {
    let running: string[] = [];

    beforeEach(() => {
      running = ['w1'];
      service.answer = ({ path }) => {
        if (path.startsWith('/model-info/cloud-model')) return { status: 200, body: { model_info: {} } };
        if (path.startsWith('/deployment/worker-info?'))
          return { status: 200, body: { workers: running.map((id) => ({ id, name: id, status: 'Running' })) } };
        return { status: 200, body: { workflow_id: 'theirs-1' } };
      };
    });

    const degrade = async () => {
      const { endpoint_id, workflow_id } = await deploy();
      await report(workflow_id, 'deploy_model', deployment);
      await until('WorkflowSucceeded', workflow_id);
      const replicas = { total: 2, available: 1, failed: 1, pending: 0 };
      const said = { endpoint_id, status: 'pending', replicas, ingress_healthy: true, workers: [] };
      await perform('RecordEndpointReport', said, aService);
      const { data } = await first('EndpointDegraded');
      return { endpoint_id, recovery: data.recovery?.workflow_id ?? 'none' };
    };
    it('ask the cluster and record that it is well again, without any message from there', async () => {
      const { recovery } = await degrade();
      await until('WorkflowStepStarted', recovery);
      await fire('check', recovery);
      await callAnswered(recovery, 'cluster.list-workers');
      running = ['w1', 'w2'];
      await fire('check', recovery);
      expect((await first('EndpointRecovered')).data.recovery_id).to.equal(recovery);
      await until('WorkflowSucceeded', recovery);
      const { rows } = await system.pool.query('select * from process_timers where instance_id = $1', [recovery]);
      expect(rows).to.deep.equal([]);
    });

    it('say at the deadline that it is overdue, and look after it further', async () => {
      const { recovery } = await degrade();
      await until('WorkflowStepStarted', recovery);
      await fire('deadline', recovery);
      expect((await until('WorkflowFailed', recovery)).data.reason.code).to.equal('recovery-overdue');
      const overdue = await first('EndpointRecoveryOverdue');
      const next = overdue.data.recovery?.workflow_id ?? 'none';
      await until('WorkflowStepStarted', next);
      running = ['w1', 'w2'];
      await fire('check', next);
      await until('WorkflowSucceeded', next);
      expect((await first('EndpointRecovered')).data.recovery_id).to.equal(next);
    });

    it('give way to scaling, which brings it in order', async () => {
      const { endpoint_id, recovery } = await degrade();
      await until('WorkflowStepStarted', recovery);
      const scaling = await perform('ScaleEndpoint', { endpoint_id, replicas: 1 });
      expect((await until('WorkflowCancelled', recovery)).data.reason.code).to.equal('superseded');
      await until('WorkflowSucceeded', scaling.workflow_id);
    });

    it('cannot be called off, since then nobody would look after it', async () => {
      const { recovery } = await degrade();
      await until('WorkflowStarted', recovery);
      const refusal = await perform('CancelWorkflow', { workflow_id: recovery }).then(
        () => null,
        (error) => error.code,
      );
      expect(refusal).to.equal('workflow-not-cancellable');
    });
  });
});
