import { expect } from 'chai';
import { toClusterNodes } from '../../src/commands/cluster/cluster-report.ts';
import { clusterDeletion } from '../../src/processes/cluster/cluster-deletion.ts';
import { clusterOnboarding } from '../../src/processes/cluster/cluster-onboarding.ts';
import { endpointDeletion } from '../../src/processes/endpoint/endpoint-deletion.ts';
import {
  AT,
  answered,
  callFailed,
  cancelRequested,
  DEADLINE_AT,
  given,
  goOnFrom,
  happened,
  ids,
  ignored,
  refused,
  resulted,
  stepFailed,
  stepSucceeded,
  timerFired,
} from './given.ts';

const BEGUN = ['StartWorkflow', 'timer deadline', 'StartWorkflowStep'];
const CONFIRMED = ['abandon-calls', 'cancel-timer undo', 'CompleteWorkflowStep'];

describe('the deletion of an endpoint', () => {
  const requested = (placement: object | null) =>
    happened('EndpointDeletionRequested', {
      endpoint_id: ids.endpoint_id,
      project_id: ids.project_id,
      name: 'ocr-prod',
      placement,
      deadline: DEADLINE_AT,
    });
  const starts = happened('WorkflowStepStarted', { step: 'delete_namespace', message: '', deadline: DEADLINE_AT });
  const ordered = requested({ cluster_id: ids.cluster_id, bud_cluster_id: 'bud-1', namespace: 'bud-ocr-1' });
  const placed = [ordered, starts];
  const deleted = happened('EndpointDeleted', { endpoint_id: ids.endpoint_id, name: 'ocr-prod' });

  it('deletes on the cluster first, then releases and records', () => {
    expect(given(endpointDeletion, ordered).names).to.deep.equal(BEGUN);
    const start = given(endpointDeletion, ...placed);
    expect(start.names).to.deep.equal(['call cluster.delete-deployment', 'timer undo']);
    expect(start.callInput('cluster.delete-deployment')).to.include({ cluster_id: 'bud-1', namespace: 'bud-ocr-1' });
    for (const done of [stepSucceeded('delete_namespace'), resulted('delete_deployment', null)]) {
      const { names } = given(endpointDeletion, ...placed, done);
      expect(names).to.deep.equal([...CONFIRMED, 'ReleaseCapacity', 'RecordEndpointDeleted']);
    }
  });

  it('takes step and results, which say the same, once', () => {
    const both = [stepSucceeded('delete_namespace'), resulted('delete_deployment', null)];
    expect(given(endpointDeletion, ...placed, ...both).names).to.equal(null);
    expect(given(endpointDeletion, ...placed, ...both, deleted).names).to.deep.equal(['CompleteWorkflow', 'end']);
  });

  it('calls nobody where nothing is on a cluster', () => {
    expect(given(endpointDeletion, requested(null), starts).names).to.deep.equal([
      'CompleteWorkflowStep',
      'RecordEndpointDeleted',
    ]);
    const bare = requested({ cluster_id: ids.cluster_id, bud_cluster_id: 'bud-1', namespace: null });
    expect(given(endpointDeletion, bare, starts).names).to.include('ReleaseCapacity');
  });

  it('is never forgotten: it asks again until the cluster confirms, and holds what it holds', () => {
    const tried = [
      stepFailed('delete_namespace'),
      callFailed('cluster.delete-deployment'),
      callFailed('cluster.delete-deployment', 500),
      timerFired('deadline'),
    ];
    for (const trouble of tried) expect(given(endpointDeletion, ...placed, trouble).names).to.equal(null);
    for (const rounds of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const again = Array.from({ length: rounds }, () => timerFired('undo'));
      const { names, intents, commandData } = given(endpointDeletion, ...placed, ...tried, ...again);
      expect(names).to.deep.equal([
        'abandon-calls',
        'RecordEndpointCleanupPending',
        'RetryWorkflowStep',
        'call cluster.delete-deployment',
        'timer undo',
      ]);
      expect(commandData('RecordEndpointCleanupPending')).to.have.nested.property('reason.code', 'cleanup-pending');
      const [at] = intents.flatMap((intent) => (intent.kind === 'timer' ? [intent.at] : []));
      expect(Date.parse(at ?? '') - Date.parse(AT)).to.be.within(60_000, 600_000);
    }
    for (const confirmation of [
      callFailed('cluster.delete-deployment', 404),
      stepSucceeded('delete_namespace'),
      ignored('delete_deployment', 'delete_namespace'),
      resulted('delete_deployment', null),
    ]) {
      const { names } = given(endpointDeletion, ...placed, ...tried, timerFired('undo'), confirmation);
      expect(names).to.include.members(['ReleaseCapacity', 'RecordEndpointDeleted']);
    }
  });

  it('is cancelled until the step with which the cluster is asked has started', () => {
    const { names, ended } = given(endpointDeletion, ordered, cancelRequested);
    expect(names).to.deep.equal(['CancelEndpointDeletion', 'MarkWorkflowCancelled', 'end']);
    expect(ended).to.equal(true);
    expect(given(endpointDeletion, ...placed, cancelRequested).names).to.equal(null);
  });

  it('waits for the change that it ends, as long as that takes', () => {
    const during = happened(ordered.type, { ...ordered.data, ends: ids.other_cluster_id });
    const over = happened('EndpointChangeEnded', {
      endpoint_id: ids.endpoint_id,
      ended_workflow_id: ids.other_cluster_id,
    });
    expect(given(endpointDeletion, during).commandData('StartWorkflowStep')).to.include({ step: 'end_change' });
    const late = [during, timerFired('deadline')];
    expect(given(endpointDeletion, ...late).names).to.deep.equal([
      'RecordEndpointCleanupPending',
      'RetryWorkflowStep',
      'timer deadline',
    ]);
    expect(given(endpointDeletion, ...late, over).names).to.deep.equal(['CompleteWorkflowStep', 'StartWorkflowStep']);
    expect(given(endpointDeletion, ...late, over, starts).names).to.include('call cluster.delete-deployment');
  });

  it('is ended as before where an earlier version has stored it', () => {
    const { workflow_id, endpoint_id, cluster_id } = ids;
    const stored = { phase: 'deleting', workflow_id, endpoint_id, cluster_id };
    const done = goOnFrom(endpointDeletion, stored, resulted('delete_deployment', null));
    expect(done.names).to.include.members(['ReleaseCapacity', 'RecordEndpointDeleted']);
    const late = goOnFrom(endpointDeletion, stored, timerFired('deadline'));
    expect(late.names).to.deep.equal(['abandon-calls', 'FailEndpointDeletion', 'FailWorkflow', 'end']);
    const recording = goOnFrom(endpointDeletion, { ...stored, phase: 'recording' }, deleted);
    expect(recording.names).to.deep.equal(['CompleteWorkflow', 'end']);
  });
});

describe('the onboarding of a cluster', () => {
  const configuration = 'sealed:1:subject:aXY:dGFn:dGV4dA';
  const requested = happened('ClusterRegistrationRequested', {
    cluster_id: ids.cluster_id,
    name: 'local',
    cluster_type: 'ON_PREM',
    ingress_url: '',
    configuration,
    deadline: DEADLINE_AT,
  });
  const node = {
    name: 'n1',
    status: 'Ready',
    devices: [{ type: 'cpu', name: 'Xeon', available_count: 2, cores: 2, memory_mib: 4096 }],
  };
  const result = resulted('register_cluster', { id: 'bud-1', nodes: [node] });
  const registered = happened('ClusterRegistered', { cluster_id: ids.cluster_id, bud_cluster_id: 'bud-1', nodes: [] });

  const UNDONE = ['abandon-calls', 'StartWorkflowUndo', 'StartWorkflowStep', 'RecordClusterCleanupPending'];
  const GIVEN_UP = ['abandon-calls', 'CompleteWorkflowStep', 'FailClusterRegistration', 'FailWorkflow'];

  it('hands the configuration on sealed', () => {
    const { names, callInput } = given(clusterOnboarding, requested);
    expect(names).to.deep.equal(['StartWorkflow', 'timer deadline', 'call cluster.register']);
    expect(callInput('cluster.register')).to.include({ configuration });
  });

  it('records the cluster, then has its status watched', () => {
    const recording = given(clusterOnboarding, requested, result);
    expect(recording.commandData('RecordClusterRegistered')).to.deep.equal({
      cluster_id: ids.cluster_id,
      bud_cluster_id: 'bud-1',
      nodes: [
        {
          name: 'n1',
          status: 'Ready',
          resources: { cpu_millis: 2000, memory_mib: 4096 },
          devices: [{ type: 'cpu', name: 'Xeon', available_count: 2 }],
        },
      ],
    });
    expect(given(clusterOnboarding, requested, result, registered).names).to.deep.equal([
      'CompleteWorkflow',
      'call cluster.update-node-status',
      'end',
    ]);
  });

  it('fails, and cancels at the service where it knows what to cancel', () => {
    const accepted = answered('cluster.register', 'theirs-1');
    for (const trouble of [
      stepFailed('configure_cluster'),
      resulted('register_cluster', null),
      timerFired('deadline'),
    ]) {
      const { names } = given(clusterOnboarding, requested, accepted, trouble);
      expect(names).to.deep.equal([...UNDONE, 'call cluster.cancel', 'timer undo']);
      const stopped = answered('cluster.cancel', null, {});
      expect(given(clusterOnboarding, requested, accepted, trouble, stopped).names).to.deep.equal([
        'cancel-timer undo',
        ...GIVEN_UP,
      ]);
    }
    const refusal = given(clusterOnboarding, requested, callFailed('cluster.register', 422));
    expect(refusal.names).to.include.members(GIVEN_UP);
  });

  it('holds the name until the service confirms that nothing is left, and asks again until then', () => {
    const accepted = answered('cluster.register', 'theirs-1');
    const cancelled = [requested, accepted, cancelRequested];
    const again = [...cancelled, callFailed('cluster.cancel'), timerFired('undo')];
    expect(given(clusterOnboarding, ...again).names).to.deep.equal([
      'abandon-calls',
      'RecordClusterCleanupPending',
      'RetryWorkflowStep',
      'call cluster.cancel',
      'timer undo',
    ]);
    const unknown = given(clusterOnboarding, ...again, callFailed('cluster.cancel', 404));
    expect(unknown.names).to.include.members(['FailClusterRegistration', 'MarkWorkflowCancelled']);
    const lost = [requested, callFailed('cluster.register')];
    expect(given(clusterOnboarding, ...lost).names).to.include('call cluster.health');
    const silent = [...lost, callFailed('cluster.health', 404), timerFired('undo')];
    expect(given(clusterOnboarding, ...silent).names).to.include('FailClusterRegistration');
  });

  it('ends when the cluster is deleted', () => {
    const deletion = happened('ClusterDeletionRequested', {
      ...{ cluster_id: ids.cluster_id, name: 'local', cluster_type: 'ON_PREM', bud_cluster_id: null },
      ...{ workflow_id: ids.other_cluster_id, deadline: DEADLINE_AT, ends: ids.workflow_id },
    });
    expect(given(clusterOnboarding, requested, result, deletion).names).to.include('call cluster.delete');
    const accepted = answered('cluster.register', 'theirs-1');
    expect(given(clusterOnboarding, requested, accepted, deletion).names).to.include('call cluster.cancel');
  });

  it('deletes a cluster that is registered after all, once', () => {
    const late = ignored('register_cluster', 'results', { id: 'bud-1', nodes: [] });
    const over = [requested, cancelRequested, callFailed('cluster.register', 422)];
    expect(given(clusterOnboarding, ...over, late).callInput('cluster.delete')).to.include({ cluster_id: 'bud-1' });
    expect(given(clusterOnboarding, ...over, late, late).names).to.equal(null);
    const refusal = [requested, result, refused('RecordClusterRegistered')];
    expect(given(clusterOnboarding, ...refusal).names).to.include('call cluster.delete');
    expect(given(clusterOnboarding, ...refusal, late).names).to.equal(null);
  });

  it('takes the capacity of a node as stated, and what is not stated as nothing', () => {
    const [stated, bare] = toClusterNodes([
      { ...node, capacity: { cpu_millis: 1500, memory_mib: 1000.5 } },
      { name: 'n2', status: true },
    ]);
    expect(stated?.resources).to.deep.equal({ cpu_millis: 1500, memory_mib: 1000 });
    expect(bare).to.deep.equal({
      name: 'n2',
      status: 'Ready',
      resources: { cpu_millis: 0, memory_mib: 0 },
      devices: [],
    });
  });
});

describe('the deletion of a cluster', () => {
  const requested = (bud_cluster_id: string | null) =>
    happened('ClusterDeletionRequested', {
      cluster_id: ids.cluster_id,
      name: 'local',
      cluster_type: 'ON_PREM',
      bud_cluster_id,
      deadline: DEADLINE_AT,
    });
  const starts = happened('WorkflowStepStarted', { step: 'delete_namespace', message: '', deadline: DEADLINE_AT });
  const ordered = [requested('bud-1'), starts];
  const deleted = happened('ClusterDeleted', { cluster_id: ids.cluster_id, name: 'local' });

  it('has the service delete it, then records that', () => {
    expect(given(clusterDeletion, ...ordered).callInput('cluster.delete')).to.include({ cluster_id: 'bud-1' });
    for (const done of [stepSucceeded('delete_namespace'), resulted('delete_cluster', null)]) {
      expect(given(clusterDeletion, ...ordered, done).names).to.deep.equal([...CONFIRMED, 'RecordClusterDeleted']);
      expect(given(clusterDeletion, ...ordered, done, deleted).names).to.deep.equal(['CompleteWorkflow', 'end']);
    }
  });

  it('records at once what the service never knew', () => {
    expect(given(clusterDeletion, requested(null), starts).names).to.include('RecordClusterDeleted');
  });

  it('asks again until the service confirms', () => {
    const tried = [stepFailed('delete_namespace'), callFailed('cluster.delete'), timerFired('undo')];
    expect(given(clusterDeletion, ...ordered, ...tried).names).to.deep.equal([
      'abandon-calls',
      'RecordClusterCleanupPending',
      'RetryWorkflowStep',
      'call cluster.delete',
      'timer undo',
    ]);
    const gone = given(clusterDeletion, ...ordered, ...tried, callFailed('cluster.delete', 404));
    expect(gone.names).to.include('RecordClusterDeleted');
  });

  it('is cancelled until the service is asked', () => {
    expect(given(clusterDeletion, requested('bud-1'), cancelRequested).names).to.deep.equal([
      'CancelClusterDeletion',
      'MarkWorkflowCancelled',
      'end',
    ]);
    expect(given(clusterDeletion, ...ordered, cancelRequested).names).to.equal(null);
  });

  it('is ended as before where an earlier version has stored it', () => {
    const { workflow_id, cluster_id } = ids;
    const stored = { phase: 'deleting', workflow_id, cluster_id };
    const late = goOnFrom(clusterDeletion, stored, timerFired('deadline'));
    expect(late.names).to.deep.equal(['abandon-calls', 'FailClusterDeletion', 'FailWorkflow', 'end']);
    const done = goOnFrom(clusterDeletion, stored, resulted('delete_cluster', null));
    expect(done.names).to.include('RecordClusterDeleted');
  });
});
