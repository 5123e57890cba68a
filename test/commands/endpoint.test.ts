import { expect } from 'chai';
import { deleteEndpoint } from '../../src/commands/endpoint/delete-endpoint.ts';
import { deployModel } from '../../src/commands/endpoint/deploy-model.ts';
import { beginPlacement } from '../../src/commands/endpoint/internal/begin-placement.ts';
import { failEndpoint } from '../../src/commands/endpoint/internal/fail-endpoint.ts';
import { failEndpointScaling } from '../../src/commands/endpoint/internal/fail-endpoint-scaling.ts';
import { placeEndpoint } from '../../src/commands/endpoint/internal/place-endpoint.ts';
import { recordEndpointDeployed } from '../../src/commands/endpoint/internal/record-endpoint-deployed.ts';
import { recordEndpointRecoveryOverdue } from '../../src/commands/endpoint/internal/record-endpoint-recovery-overdue.ts';
import { recordEndpointReport } from '../../src/commands/endpoint/internal/record-endpoint-report.ts';
import { retryDeployment } from '../../src/commands/endpoint/retry-deployment.ts';
import { scaleEndpoint } from '../../src/commands/endpoint/scale-endpoint.ts';
import { newId, WorkflowId } from '../../src/events/ids.ts';
import { fact } from './fixture.ts';
import { given, later, made, requester } from './given.ts';

const requested = fact('EndpointRequested');
const { endpoint_id, project_id, model_id, cluster_id, workflow_id } = requested.data;
const deploying = [requested, fact('EndpointPlacementStarted'), fact('EndpointPlaced')];
const running = [...deploying, fact('EndpointDeployed')];
const activeModel = [fact('LocalModelUploaded'), fact('ModelMetadataRecorded')];
const availableCluster = [fact('ClusterRegistrationRequested'), fact('ClusterRegistered')];
const around = { project: [fact('ProjectCreated')], model: activeModel, cluster: availableCluster };
const reason = { code: 'x', message: 'y' };
const report = fact('EndpointRecovered').data;
const oneLess = { ...report.replicas, available: 1, failed: 1 };

describe('endpoint commands', () => {
  const ask = { project_id, model_id, name: 'Chat' };

  it('deploy a model with room that follows from its size', () => {
    const resources_per_replica = { cpu_millis: 250, memory_mib: 195 };
    const data = {
      name: 'chat',
      replicas: 1,
      resources_per_replica,
      workflow_id: made('workflow'),
      deadline: later(900),
    };
    given().knowing(around).when(deployModel, ask).then({ type: 'EndpointRequested', data });
  });

  it('deploy an endpoint again that failed or was cancelled, as it was asked for', () => {
    const again = { endpoint_id, workflow_id };
    for (const end of ['EndpointFailed', 'EndpointCancelled'] as const) {
      const { workflow_id: _first, deadline: _earlier, ...asked } = requested.data;
      given(...deploying, fact(end))
        .knowing(around)
        .when(retryDeployment, again)
        .then({
          type: 'EndpointRequested',
          data: { ...asked, workflow_id: made('workflow'), deadline: later(900), retries: workflow_id },
        });
    }
  });

  it('do not deploy again what is not undone, not the last, or has nothing to be made of', () => {
    const again = { endpoint_id, workflow_id };
    const failed = [...deploying, fact('EndpointFailed')];
    for (const history of [deploying, running, [...deploying, fact('EndpointCleanupPending')]]) {
      given(...history)
        .knowing(around)
        .when(retryDeployment, again)
        .thenRefused('workflow-not-retryable');
    }
    given(...failed)
      .knowing(around)
      .when(retryDeployment, { endpoint_id, workflow_id: newId(WorkflowId) })
      .thenRefused('workflow-not-retryable');
    given(...failed)
      .knowing({ ...around, model: [] })
      .when(retryDeployment, again)
      .thenRefused('model-not-found');
  });

  it('refuse to deploy a model that is not active, into no project, or on a full cluster', () => {
    const unread = { ...around, model: [fact('LocalModelUploaded')] };
    given().knowing(unread).when(deployModel, ask).thenRefused('model-not-active');
    given()
      .knowing({ ...around, project: [] })
      .when(deployModel, ask)
      .thenRefused('project-not-found');
    const deleted = [...around.project, fact('ProjectDeleted')];
    given()
      .knowing({ ...around, project: deleted })
      .when(deployModel, ask)
      .thenRefused('project-not-found');
    const refusal = given()
      .knowing(around)
      .when(deployModel, { ...ask, cluster_id, replicas: 9 })
      .thenRefused('cluster-full');
    expect(refusal.message).to.contain('2 cores').and.to.contain('2.25 cores');
  });

  it('begin to place it only while its model and its project are there, and say which one is not', () => {
    const begin = { endpoint_id, workflow_id, deadline: later(120) };
    given(requested).knowing(around).when(beginPlacement, begin).then({ type: 'EndpointPlacementStarted' });
    const gone = {
      project: [...around.project, fact('ProjectDeleted')],
      model: [...activeModel, fact('ModelDeleted')],
    };
    for (const what of ['project', 'model'] as const) {
      given(requested)
        .knowing({ ...around, [what]: gone[what] })
        .when(beginPlacement, begin)
        .thenRefused(`${what}-deleted`);
    }
  });

  it('place it only while the workflow still places it and all is still there', () => {
    const { simulator_id, candidates, deadline } = fact('EndpointPlaced').data;
    const place = { endpoint_id, workflow_id, project_id, model_id, cluster_id, simulator_id, candidates, deadline };
    const placing = given(requested, fact('EndpointPlacementStarted'));
    placing
      .knowing(around)
      .when(placeEndpoint, place)
      .then({ type: 'EndpointPlaced', data: { reasons: ['most free memory'] } });
    placing
      .knowing({ ...around, model: [] })
      .when(placeEndpoint, place)
      .thenRefused('model-deleted');
    given(requested).knowing(around).when(placeEndpoint, place).thenRefused('endpoint-not-placing');
    given(...deploying)
      .knowing(around)
      .when(placeEndpoint, place)
      .thenNothing();
  });

  it('record a deployment once, and refuse it from an old workflow', () => {
    const data = fact('EndpointDeployed').data;
    given(...deploying)
      .when(recordEndpointDeployed, data)
      .then({ type: 'EndpointDeployed' });
    given(...running)
      .when(recordEndpointDeployed, data)
      .thenNothing();
    const old = { ...data, workflow_id: newId(WorkflowId) };
    given(...deploying)
      .when(recordEndpointDeployed, old)
      .thenRefused('endpoint-not-deploying');
  });

  it('turn a running endpoint degraded and back, and are silent where nothing is new', () => {
    const said = { ...report, status: 'ready' };
    given(...running)
      .when(recordEndpointReport, said)
      .thenNothing();
    const degraded = { type: 'EndpointDegraded', data: { deadline: later(600) } } as const;
    given(...running)
      .when(recordEndpointReport, { ...said, replicas: oneLess })
      .then(degraded);
    given(...running)
      .when(recordEndpointReport, { ...said, status: 'ingress_failed' })
      .then(degraded);
    const ill = [...running, fact('EndpointDegraded', { replicas: oneLess })];
    given(...ill)
      .when(recordEndpointReport, { ...said, replicas: oneLess })
      .thenNothing();
    given(...ill)
      .when(recordEndpointReport, { ...said, replicas: { ...oneLess, failed: 2 } })
      .then({ type: 'EndpointReplicasReported' });
    given(...ill)
      .when(recordEndpointReport, said)
      .then({ type: 'EndpointRecovered' });
    given(...deploying)
      .when(recordEndpointReport, said)
      .thenNothing();
  });

  describe('while an endpoint is degraded', () => {
    const recovery = {
      workflow_id: newId(WorkflowId),
      project_id,
      user_id: requester,
      name: 'chat',
      bud_cluster_id: 'bud-1',
      namespace: 'bud-chat-1a2b',
      cause: 'replicas-missing',
    };
    const ill = [...running, fact('EndpointDegraded', { replicas: oneLess, recovery })];
    const overdue = { endpoint_id, deadline: fact('EndpointDegraded').data.deadline };
    /** As an earlier version asked. */
    const asBefore = { endpoint_id, workflow_id: recovery.workflow_id };

    it('have it looked after from the start, for the person who deployed it', () => {
      given(...running)
        .when(recordEndpointReport, { ...report, status: 'ready', replicas: oneLess })
        .then({ type: 'EndpointDegraded', data: { recovery: { ...recovery, workflow_id: made('recovery') } } });
    });

    it('say which recovery is over where it recovers, is scaled or is deleted', () => {
      const data = { recovery_id: recovery.workflow_id };
      given(...ill)
        .when(recordEndpointReport, { ...report, status: 'ready' })
        .then({ type: 'EndpointRecovered', data });
      given(...ill)
        .knowing(around)
        .when(scaleEndpoint, { endpoint_id, replicas: 3 })
        .then({ type: 'EndpointScalingRequested', data });
      given(...ill)
        .when(deleteEndpoint, { endpoint_id })
        .then({ type: 'EndpointDeletionRequested', data });
    });

    it('keep it degraded past its deadline, with a reason, a new deadline and a further recovery', () => {
      for (const asked of [overdue, asBefore]) {
        given(...ill)
          .when(recordEndpointRecoveryOverdue, asked)
          .then({
            type: 'EndpointRecoveryOverdue',
            data: {
              workflow_id: recovery.workflow_id,
              reason: {
                code: 'recovery-overdue',
                message: 'The endpoint did not recover in time: 1 of 2 replicas are available.',
              },
              deadline: later(600),
              recovery: { ...recovery, workflow_id: made('recovery') },
            },
          });
      }
      given(...running, fact('EndpointDegraded', { replicas: oneLess }))
        .when(recordEndpointRecoveryOverdue, overdue)
        .then({ type: 'EndpointRecoveryOverdue', data: { deadline: later(600), recovery: undefined } });
    });

    it('say nothing of a deadline, or a recovery, that is over', () => {
      const since = fact('EndpointRecoveryOverdue', { deadline: later(600) });
      for (const asked of [overdue, asBefore]) {
        given(...ill, fact('EndpointRecovered'))
          .when(recordEndpointRecoveryOverdue, asked)
          .thenNothing();
        given(...ill, since)
          .when(recordEndpointRecoveryOverdue, asked)
          .thenNothing();
      }
      given(...running, fact('EndpointDegraded'))
        .when(recordEndpointRecoveryOverdue, { endpoint_id })
        .thenNothing();
      given(...ill, since)
        .when(recordEndpointRecoveryOverdue, { endpoint_id, deadline: later(600) })
        .then({ type: 'EndpointRecoveryOverdue' });
    });
  });

  it('scale only what runs, and only into what is free', () => {
    const scale = (replicas: number) => ({ endpoint_id, replicas });
    const wanted = { previous_replicas: 2, replicas: 3, namespace: 'bud-chat-1a2b', simulator_id: 'sim-1' };
    given(...running)
      .knowing(around)
      .when(scaleEndpoint, scale(3))
      .then({ type: 'EndpointScalingRequested', data: wanted });
    given(...running)
      .knowing(around)
      .when(scaleEndpoint, scale(2))
      .thenNothing();
    given(...running)
      .knowing(around)
      .when(scaleEndpoint, scale(64))
      .thenRefused('cluster-full');
    given(...deploying)
      .knowing(around)
      .when(scaleEndpoint, scale(3))
      .thenRefused('endpoint-not-running');
  });

  it('stop an endpoint by scaling it to 0, and start it again where there is room', () => {
    const scale = (replicas: number) => ({ endpoint_id, replicas });
    given(...running)
      .knowing(around)
      .when(scaleEndpoint, scale(0))
      .then({ type: 'EndpointScalingRequested', data: { previous_replicas: 2, replicas: 0 } });
    const none = { replicas: { total: 0, available: 0, failed: 0, pending: 0 }, ingress_healthy: null, workers: [] };
    const stopping = [...running, fact('EndpointScalingRequested', { previous_replicas: 2, replicas: 0 })];
    const stopped = given(...stopping, fact('EndpointScaled', none)).knowing(around);
    stopped.when(scaleEndpoint, scale(0)).thenNothing();
    stopped
      .when(scaleEndpoint, scale(1))
      .then({ type: 'EndpointScalingRequested', data: { previous_replicas: 0, replicas: 1 } });
    stopped.when(scaleEndpoint, scale(64)).thenRefused('cluster-full');
    stopped.when(deleteEndpoint, { endpoint_id }).then({ type: 'EndpointDeletionRequested' });
    // Nothing is missing of it; but what is left over is removed, and then it is stopped again.
    stopped.when(recordEndpointReport, { endpoint_id, status: 'failed', ...none }).thenNothing();
    stopped.when(recordEndpointReport, { endpoint_id, status: 'missing', ...none }).thenNothing();
    const workers = [{ name: 'w1', status: 'Running', node_name: null, device_name: null }];
    const left = {
      endpoint_id,
      status: 'ready',
      ...none,
      replicas: { ...none.replicas, total: 1, available: 1 },
      workers,
    };
    stopped.when(recordEndpointReport, left).then({ type: 'EndpointDegraded' });
    const surplus = fact('EndpointDegraded', { ...none, workers });
    const removed = given(...stopping, fact('EndpointScaled', none), surplus);
    removed.when(recordEndpointReport, { endpoint_id, status: 'failed', ...none }).then({ type: 'EndpointRecovered' });
    given(...stopping, fact('EndpointScaled', none), surplus, fact('EndpointRecovered', none))
      .when(recordEndpointReport, { endpoint_id, status: 'failed', ...none })
      .thenNothing();
    const startFails = [
      fact('EndpointScaled', none),
      fact('EndpointScalingRequested', { previous_replicas: 0, replicas: 1 }),
      fact('EndpointScalingFailed', { replicas: 0 }),
    ];
    given(...stopping, ...startFails)
      .knowing(around)
      .when(recordEndpointReport, { endpoint_id, status: 'failed', ...none })
      .thenNothing();
  });

  it('go back to the replicas before where scaling fails', () => {
    const updating = [...running, fact('EndpointScalingRequested')];
    const failed = { type: 'EndpointScalingFailed', data: { replicas: 2 } } as const;
    given(...updating)
      .when(failEndpointScaling, { endpoint_id, workflow_id, reason })
      .then(failed);
    const old = { endpoint_id, workflow_id: newId(WorkflowId), reason };
    given(...updating)
      .when(failEndpointScaling, old)
      .thenNothing();
  });

  it('delete what is idle, and remember what may be left', () => {
    const gone = { endpoint_id };
    given(...running)
      .when(deleteEndpoint, gone)
      .then({ type: 'EndpointDeletionRequested' });
    const deletion = [...running, fact('EndpointDeletionRequested')];
    given(...deletion)
      .when(deleteEndpoint, gone)
      .thenRefused('endpoint-deleting');
    const failed = [...deploying, fact('EndpointFailed')];
    given(...failed)
      .when(deleteEndpoint, gone)
      .then({ type: 'EndpointDeletionRequested', data: { placement: null } });
    const stuck = [...running, fact('EndpointDeletionRequested'), fact('EndpointDeletionFailed')];
    const placement = { cluster_id, bud_cluster_id: 'bud-1', namespace: 'bud-chat-1a2b' };
    given(...stuck)
      .when(deleteEndpoint, gone)
      .then({ type: 'EndpointDeletionRequested', data: { placement } });
  });

  it('fail a deployment, but nothing that runs', () => {
    const fail = { endpoint_id, workflow_id, reason };
    given(...deploying)
      .when(failEndpoint, fail)
      .then({ type: 'EndpointFailed', data: { name: 'chat' } });
    given(...running)
      .when(failEndpoint, fail)
      .thenNothing();
  });
});
