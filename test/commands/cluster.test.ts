import { expect } from 'chai';
import { type ClusterState, cluster } from '../../src/commands/cluster/cluster-state.ts';
import { deleteCluster } from '../../src/commands/cluster/delete-cluster.ts';
import { recordClusterRecoveryOverdue } from '../../src/commands/cluster/internal/record-cluster-recovery-overdue.ts';
import { recordClusterRegistered } from '../../src/commands/cluster/internal/record-cluster-registered.ts';
import { recordClusterStatus } from '../../src/commands/cluster/internal/record-cluster-status.ts';
import { releaseCapacity } from '../../src/commands/cluster/internal/release-capacity.ts';
import { reserveCapacity } from '../../src/commands/cluster/internal/reserve-capacity.ts';
import { registerCluster } from '../../src/commands/cluster/register-cluster.ts';
import { retryRegistration } from '../../src/commands/cluster/retry-registration.ts';
import { updateCluster } from '../../src/commands/cluster/update-cluster.ts';
import { capacityUnder } from '../../src/events/capacity.ts';
import { EndpointId, newId, WorkflowId } from '../../src/events/ids.ts';
import { fact } from './fixture.ts';
import { given, itself, later, made, requester, sealedAs } from './given.ts';

const requested = fact('ClusterRegistrationRequested');
const registered = fact('ClusterRegistered');
const available = [requested, registered];
const reserved = fact('CapacityReserved');
const { cluster_id, endpoint_id, workflow_id } = reserved.data;
const wanting = (cpu_millis: number, endpoint = endpoint_id) => ({
  cluster_id,
  endpoint_id: endpoint,
  workflow_id,
  replicas: 1,
  resources: { cpu_millis, memory_mib: 100 },
});

describe('cluster commands', () => {
  it('ask for the registration with a sealed configuration', () => {
    given()
      .when(registerCluster, { name: 'home', configuration: 'apiVersion: v1' })
      .then({
        type: 'ClusterRegistrationRequested',
        data: { name: 'home', cluster_type: 'ON_PREM', configuration: sealedAs('apiVersion: v1') },
      });
  });

  it('register a cluster again whose registration failed, with the configuration that it had', () => {
    const { workflow_id: first, deadline: _earlier, ...asked } = requested.data;
    const failed = [requested, fact('ClusterRegistrationFailed')];
    given(...failed)
      .when(retryRegistration, { cluster_id, workflow_id: first })
      .then({
        type: 'ClusterRegistrationRequested',
        data: { ...asked, workflow_id: made('workflow'), retries: first },
      });
    given(...failed)
      .when(retryRegistration, { cluster_id, workflow_id: newId(WorkflowId) })
      .thenRefused('workflow-not-retryable');
    given(...available)
      .when(retryRegistration, { cluster_id, workflow_id: first })
      .thenRefused('workflow-not-retryable');
  });

  it('tell only what is new of a cluster, and nothing of one whose registration failed', () => {
    const { name } = requested.data;
    given(...available)
      .when(updateCluster, { cluster_id, name: 'other', ingress_url: 'https://other.example' })
      .then(
        { type: 'ClusterRenamed', data: { name: 'other', previous_name: name } },
        { type: 'ClusterIngressChanged' },
      );
    given(...available)
      .when(updateCluster, { cluster_id, name })
      .thenNothing();
    given(requested, fact('ClusterRegistrationFailed'))
      .when(updateCluster, { cluster_id, name: 'other' })
      .thenRefused('cluster-not-registered');
  });

  it('give out no more than there is, counting what others hold', () => {
    const other = newId(EndpointId);
    given(...available)
      .when(reserveCapacity, wanting(2000))
      .then({ type: 'CapacityReserved' });
    given(...available)
      .when(reserveCapacity, wanting(2001))
      .thenRefused('cluster-full');
    given(...available, reserved)
      .when(reserveCapacity, wanting(1751, other))
      .thenRefused('cluster-full');
    given(...available, reserved)
      .when(reserveCapacity, wanting(1750, other))
      .then({ type: 'CapacityReserved', data: { free: { cpu_millis: 1750, memory_mib: 3872 } } });
  });

  it('give out only what fits on one node a replica, however much is free in all', () => {
    const [node] = registered.data.nodes;
    const nodes = ['n1', 'n2'].map((name) => ({ ...node!, name, resources: { cpu_millis: 1000, memory_mib: 4096 } }));
    const two = given(requested, fact('ClusterRegistered', { nodes }));
    const refused = two.when(reserveCapacity, wanting(1001)).thenRefused('cluster-full');
    expect(refused.message).to.contain('must fit on one node: there is room for 0 of 1');
    const pair = { ...wanting(2000), replicas: 2 };
    two.when(reserveCapacity, pair).then({ type: 'CapacityReserved' });
    const three = { ...pair, replicas: 3, resources: { cpu_millis: 1800, memory_mib: 300 } };
    two.when(reserveCapacity, three).thenRefused('cluster-full');
  });

  it("replace the endpoint's own reservation, and let it shrink even while the cluster is unavailable", () => {
    given(...available, reserved)
      .when(reserveCapacity, wanting(2000))
      .then({ type: 'CapacityReserved' });
    given(...available, reserved)
      .when(reserveCapacity, reserved.data)
      .thenNothing();
    const away = given(...available, reserved, fact('ClusterBecameUnavailable'));
    away.when(reserveCapacity, wanting(100)).then({ type: 'CapacityReserved' });
    away.when(reserveCapacity, wanting(300)).thenRefused('cluster-not-available');
  });

  it('count only ready nodes as capacity', () => {
    const nodes = registered.data.nodes.map((node) => ({ ...node, status: 'NotReady' }));
    given(requested, fact('ClusterRegistered', { nodes }))
      .when(reserveCapacity, wanting(1))
      .thenRefused('cluster-full');
    const meta = { actor: itself.actor };
    const state = [requested, registered].reduce<ClusterState | null>(
      (before, { type, data }) => cluster.evolve(before, { type, data, meta } as never),
      null,
    );
    expect(state && capacityUnder(state.nodes, state.load).free).to.deep.equal({ cpu_millis: 2000, memory_mib: 4096 });
  });

  it('release only what is held', () => {
    const release = { cluster_id, endpoint_id, workflow_id };
    given(...available, reserved)
      .when(releaseCapacity, release)
      .then({ type: 'CapacityReleased' });
    given(...available)
      .when(releaseCapacity, release)
      .thenNothing();
  });

  it('tell apart news and repetition in what is reported', () => {
    given(...available)
      .when(recordClusterStatus, { cluster_id, available: true })
      .thenNothing();
    given(...available)
      .when(recordClusterStatus, { cluster_id, available: false })
      .then({ type: 'ClusterBecameUnavailable' });
    const away = given(...available, fact('ClusterBecameUnavailable'));
    away.when(recordClusterStatus, { cluster_id, available: false }).thenNothing();
    away.when(recordClusterStatus, { cluster_id, available: true }).then({ type: 'ClusterBecameAvailable' });
    given(...available)
      .when(recordClusterStatus, { cluster_id, available: true, nodes: [] })
      .then({ type: 'ClusterNodesChanged' });
    given(requested).when(recordClusterStatus, { cluster_id, available: true }).thenNothing();
  });

  it('have an unavailable cluster looked after until it is back or gone, past its deadline too', () => {
    const { bud_cluster_id } = registered.data;
    const { name } = requested.data;
    const recovery = { workflow_id: newId(WorkflowId), user_id: requester, name, bud_cluster_id };
    const next = { ...recovery, workflow_id: made('recovery') };
    given(...available)
      .when(recordClusterStatus, { cluster_id, available: false })
      .then({ type: 'ClusterBecameUnavailable', data: { recovery: next, deadline: later(600) } });

    const away = given(...available, fact('ClusterBecameUnavailable', { recovery }));
    const data = { recovery_id: recovery.workflow_id };
    away.when(recordClusterStatus, { cluster_id, available: true }).then({ type: 'ClusterBecameAvailable', data });
    away.when(deleteCluster, { cluster_id }).then({ type: 'ClusterDeletionRequested', data });
    const { deadline } = fact('ClusterBecameUnavailable').data;
    // The second is how an earlier version asked.
    for (const overdue of [
      { cluster_id, deadline },
      { cluster_id, workflow_id: recovery.workflow_id },
    ]) {
      away
        .when(recordClusterRecoveryOverdue, overdue)
        .then({ type: 'ClusterRecoveryOverdue', data: { recovery: next, deadline: later(600) } });
      given(...available)
        .when(recordClusterRecoveryOverdue, overdue)
        .thenNothing();
    }
    away.when(recordClusterRecoveryOverdue, { cluster_id, deadline: later(600) }).thenNothing();
    away.when(recordClusterRecoveryOverdue, { cluster_id, workflow_id: newId(WorkflowId) }).thenNothing();
  });

  it('record a registration once, and refuse one that comes after the registration failed', () => {
    const { bud_cluster_id, nodes } = registered.data;
    const data = { cluster_id, bud_cluster_id, nodes };
    given(requested).when(recordClusterRegistered, data).then({ type: 'ClusterRegistered' });
    given(...available)
      .when(recordClusterRegistered, data)
      .thenNothing();
    given(requested, fact('ClusterRegistrationFailed'))
      .when(recordClusterRegistered, data)
      .thenRefused('cluster-not-registering');
  });

  it('delete only what nobody holds', () => {
    given(...available)
      .when(deleteCluster, { cluster_id })
      .then({ type: 'ClusterDeletionRequested', data: { bud_cluster_id: 'bud-1' } });
    given(...available, reserved)
      .when(deleteCluster, { cluster_id })
      .thenRefused('cluster-in-use');
  });
});
