import { deleteCluster } from '../../src/commands/cluster/delete-cluster.ts';
import { cancelClusterDeletion } from '../../src/commands/cluster/internal/cancel-cluster-deletion.ts';
import { failClusterRegistration } from '../../src/commands/cluster/internal/fail-cluster-registration.ts';
import { deleteEndpoint } from '../../src/commands/endpoint/delete-endpoint.ts';
import { cancelEndpoint } from '../../src/commands/endpoint/internal/cancel-endpoint.ts';
import { cancelEndpointDeletion } from '../../src/commands/endpoint/internal/cancel-endpoint-deletion.ts';
import { failEndpoint } from '../../src/commands/endpoint/internal/fail-endpoint.ts';
import { failEndpointScaling } from '../../src/commands/endpoint/internal/fail-endpoint-scaling.ts';
import { recordEndpointCleanupPending } from '../../src/commands/endpoint/internal/record-endpoint-cleanup-pending.ts';
import { recordEndpointDeployed } from '../../src/commands/endpoint/internal/record-endpoint-deployed.ts';
import { recordEndpointReport } from '../../src/commands/endpoint/internal/record-endpoint-report.ts';
import { scaleEndpoint } from '../../src/commands/endpoint/scale-endpoint.ts';
import { newId, WorkflowId } from '../../src/events/ids.ts';
import { fact } from './fixture.ts';
import { given, later, made } from './given.ts';

const requested = fact('EndpointRequested');
const { endpoint_id, workflow_id } = requested.data;
const deploying = [requested, fact('EndpointPlacementStarted'), fact('EndpointPlaced')];
const running = [...deploying, fact('EndpointDeployed')];
const updating = [...running, fact('EndpointScalingRequested')];
const registering = fact('ClusterRegistrationRequested');
const { cluster_id } = registering.data;
const available = [registering, fact('ClusterRegistered')];
const around = { cluster: available };
const reason = { code: 'x', message: 'y' };
const report = fact('EndpointRecovered').data;
const oneLess = { ...report.replicas, available: 1, failed: 1 };

describe('commands that delete', () => {
  it('delete what is being changed, and name the change that ends', () => {
    const pending = [fact('EndpointRequested')];
    const placing = [...pending, fact('EndpointPlacementStarted')];
    const leftover = [...deploying, fact('EndpointCleanupPending')];
    for (const history of [pending, placing, deploying, updating, leftover]) {
      const asked = given(...history).when(deleteEndpoint, { endpoint_id });
      asked.then({ type: 'EndpointDeletionRequested', data: { ends: workflow_id, cancellable: false } });
      const workflow = made('workflow');
      const deleting = [...history, ...asked.facts()];
      const ended = {
        type: 'EndpointChangeEnded',
        data: { workflow_id: workflow, ended_workflow_id: workflow_id },
      } as const;
      for (const command of [failEndpoint, cancelEndpoint, failEndpointScaling]) {
        given(...deleting)
          .when(command, { endpoint_id, workflow_id, reason })
          .then(ended);
        given(...deleting, fact('EndpointChangeEnded'))
          .when(command, { endpoint_id, workflow_id, reason })
          .thenNothing();
      }
      given(...deleting)
        .when(recordEndpointDeployed, { ...fact('EndpointDeployed').data })
        .thenRefused('endpoint-not-deploying');
    }
  });

  it('have an endpoint go on as before where its deletion is cancelled in time', () => {
    const asked = given(...running).when(deleteEndpoint, { endpoint_id });
    asked.then({ type: 'EndpointDeletionRequested', data: { ends: null, cancellable: true } });
    const cancel = { endpoint_id, workflow_id: made('workflow'), reason };
    given(...running, ...asked.facts())
      .when(cancelEndpointDeletion, cancel)
      .then({ type: 'EndpointDeletionCancelled' });
    const back = [...running, ...asked.facts(), fact('EndpointDeletionCancelled')];
    given(...back)
      .knowing(around)
      .when(scaleEndpoint, { endpoint_id, replicas: 3 })
      .then({ type: 'EndpointScalingRequested' });
    const ill = [...running, fact('EndpointDegraded', { replicas: oneLess })];
    given(...ill, ...asked.facts())
      .when(cancelEndpointDeletion, cancel)
      .then({ type: 'EndpointDeletionCancelled' }, { type: 'EndpointDegraded', data: { replicas: oneLess } });
    given(...ill, ...asked.facts())
      .when(cancelEndpointDeletion, { ...cancel, workflow_id: newId(WorkflowId) })
      .thenNothing();
  });

  it('hold the name of a deployment until nothing of it is left', () => {
    const pending = { endpoint_id, workflow_id, reason, deadline: later(60) };
    given(...deploying)
      .when(recordEndpointCleanupPending, pending)
      .then({ type: 'EndpointCleanupPending' });
    const left = [...deploying, fact('EndpointCleanupPending')];
    given(...left)
      .when(failEndpoint, { endpoint_id, workflow_id, reason })
      .then({ type: 'EndpointFailed' });
    given(...left)
      .when(cancelEndpoint, { endpoint_id, workflow_id, reason })
      .then({ type: 'EndpointCancelled' });
    given(...deploying, fact('EndpointFailed'))
      .when(recordEndpointCleanupPending, pending)
      .thenNothing();
  });

  it('record reports in the middle of a change', () => {
    given(...updating)
      .when(recordEndpointReport, { ...report, status: 'ready', replicas: oneLess })
      .then({ type: 'EndpointReplicasReported', data: { replicas: oneLess } });
    given(...updating)
      .when(recordEndpointReport, { ...report, status: 'ready' })
      .thenNothing();
  });

  it('delete a cluster that is being registered, which ends the registration', () => {
    const { workflow_id } = registering.data;
    const asked = given(registering).when(deleteCluster, { cluster_id });
    asked.then({ type: 'ClusterDeletionRequested', data: { ends: workflow_id, cancellable: false } });
    const deleting = [registering, ...asked.facts()];
    const failed = { cluster_id, workflow_id, reason };
    given(...deleting)
      .when(failClusterRegistration, failed)
      .then({ type: 'ClusterRegistrationEnded', data: { workflow_id: made('workflow') } });
    given(...deleting, fact('ClusterRegistrationEnded'))
      .when(failClusterRegistration, failed)
      .thenNothing();
    given(registering, fact('ClusterCleanupPending'))
      .when(failClusterRegistration, failed)
      .then({ type: 'ClusterRegistrationFailed' });
  });

  it('have a cluster go on as before where its deletion is cancelled in time', () => {
    const asked = given(...available).when(deleteCluster, { cluster_id });
    asked.then({ type: 'ClusterDeletionRequested', data: { ends: null, cancellable: true } });
    const cancel = { cluster_id, workflow_id: made('workflow'), reason };
    given(...available, ...asked.facts())
      .when(cancelClusterDeletion, cancel)
      .then({ type: 'ClusterDeletionCancelled' });
    given(...available, fact('ClusterBecameUnavailable'), ...asked.facts())
      .when(cancelClusterDeletion, cancel)
      .then({ type: 'ClusterDeletionCancelled' }, { type: 'ClusterBecameUnavailable' });
    given(...available, ...asked.facts(), fact('ClusterDeletionCancelled'))
      .when(deleteCluster, { cluster_id })
      .then({ type: 'ClusterDeletionRequested', data: { bud_cluster_id: 'bud-1' } });
  });
});
