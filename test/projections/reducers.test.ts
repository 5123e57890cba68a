import { expect } from 'chai';
import { createMemoryLog } from '../../src/adapters/memory-log.ts';
import type { Fact } from '../../src/events/catalog.ts';
import { ClusterId, EndpointId, WorkflowId } from '../../src/events/ids.ts';
import type { Log } from '../../src/ports/log.ts';
import { clusters } from '../../src/projections/clusters.ts';
import { endpoints } from '../../src/projections/endpoints.ts';
import { replay } from '../../src/projections/queries/replay.ts';
import { workflows } from '../../src/projections/workflows.ts';
import { fresh, reported, startCluster, startEndpoint, startWorkflow } from './facts.ts';

const reason = { code: 'no-room', message: 'No room.' };

describe('reducers', () => {
  let log: Log;

  beforeEach(() => {
    log = createMemoryLog();
  });

  afterEach(() => log.close());

  const workflowAfter = async (...ending: ((workflow_id: WorkflowId) => Fact)[]) => {
    const workflow = await startWorkflow(log);
    const workflow_id = WorkflowId.parse(workflow.id);
    const deadline = '2030-01-01T00:00:00.000Z';
    const data = { workflow_id, step: 'ranking', message: 'Ranking.', deadline };
    await workflow.append({ type: 'WorkflowStepStarted', data }, ...ending.map((make) => make(workflow_id)));
    return replay(workflows, log, { id: workflow.id });
  };

  it('leaves no step running in a workflow that has failed', async () => {
    const row = await workflowAfter((workflow_id) => ({ type: 'WorkflowFailed', data: { workflow_id, reason } }));
    expect(row).to.deep.include({ status: 'failed', reason, deadline: null });
    expect(row?.steps.map(({ status }) => status)).to.deep.equal(['failed', 'skipped']);
    expect(row?.steps.map((step) => step.reason)).to.deep.equal([reason, reason]);
  });

  it('leaves no step running in a workflow that was cancelled', async () => {
    const row = await workflowAfter(
      (workflow_id) => ({ type: 'WorkflowCancelRequested', data: { workflow_id } }),
      (workflow_id) => ({ type: 'WorkflowCancelled', data: { workflow_id, reason } }),
    );
    expect(row?.cancel_requested_at).to.be.a('string');
    expect(row?.steps.map(({ status }) => status)).to.deep.equal(['failed', 'skipped']);
  });

  it('counts progress in steps that have ended', async () => {
    const row = await workflowAfter((workflow_id) => ({
      type: 'WorkflowStepSucceeded',
      data: { workflow_id, step: 'ranking', message: 'Ranked.' },
    }));
    expect(row?.progress).to.equal(0.5);
    const done = await workflowAfter((workflow_id) => ({ type: 'WorkflowSucceeded', data: { workflow_id } }));
    expect(done?.progress).to.equal(1);
  });

  it('never shows the configuration of a cluster, sealed or not', async () => {
    const { id } = await startCluster(log);
    expect(JSON.stringify(await replay(clusters, log, { id }))).to.not.contain('sealed:');
  });

  it('counts ready nodes as capacity and takes off what endpoints hold, a later reservation replacing an earlier', async () => {
    const cluster = await startCluster(log);
    const cluster_id = ClusterId.parse(cluster.id);
    const workflow_id = fresh(WorkflowId);
    const [one, other] = [fresh(EndpointId), fresh(EndpointId)];
    const node = (name: string, status: string) => ({
      name,
      status,
      resources: { cpu_millis: 4000, memory_mib: 8000 },
      devices: [],
    });
    const reserved = (endpoint_id: EndpointId, cpu_millis: number): Fact => ({
      type: 'CapacityReserved',
      data: { cluster_id, endpoint_id, workflow_id, replicas: 1, resources: { cpu_millis, memory_mib: 100 } },
    });
    const nodes = [node('a', 'Ready'), node('b', 'NotReady')];
    await cluster.append(
      { type: 'ClusterRegistered', data: { cluster_id, workflow_id, bud_cluster_id: 'b', nodes } },
      reserved(one, 500),
      reserved(one, 1000),
      reserved(other, 300),
      { type: 'CapacityReleased', data: { cluster_id, endpoint_id: other, workflow_id } },
    );
    const row = await replay(clusters, log, { id: cluster.id });
    expect(row?.capacity).to.deep.equal({
      total: { cpu_millis: 4000, memory_mib: 8000 },
      reserved: { cpu_millis: 1000, memory_mib: 100 },
      free: { cpu_millis: 3000, memory_mib: 7900 },
      nodes: [{ name: 'a', free: { cpu_millis: 3000, memory_mib: 7900 } }],
    });
  });

  it('shows a resource as it was at a revision, a position and a time', async () => {
    const endpoint = await startEndpoint(log);
    const endpoint_id = EndpointId.parse(endpoint.id);
    const position = await endpoint.append(reported(endpoint_id, 1));
    await endpoint.append(reported(endpoint_id, 2));
    const { id } = endpoint;
    expect((await replay(endpoints, log, { id, to: { revision: 0 } }))?.observed).to.equal(null);
    expect((await replay(endpoints, log, { id, to: { position } }))?.observed?.replicas.available).to.equal(1);
    expect((await replay(endpoints, log, { id }))?.observed?.replicas.available).to.equal(2);
    expect(await replay(endpoints, log, { id, to: { time: '2000-01-01T00:00:00Z' } })).to.equal(null);
  });
});
