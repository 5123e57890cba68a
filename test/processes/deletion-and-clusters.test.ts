import { expect } from 'chai';
import { toClusterNodes } from '../../src/commands/cluster/cluster-report.ts';
import { clusterDeletion } from '../../src/processes/cluster/cluster-deletion.ts';
import { clusterOnboarding } from '../../src/processes/cluster/cluster-onboarding.ts';
import { endpointDeletion } from '../../src/processes/endpoint/endpoint-deletion.ts';
import {
  answered,
  callFailed,
  cancelRequested,
  DEADLINE_AT,
  given,
  happened,
  ids,
  ignored,
  refused,
  resulted,
  stepFailed,
  stepSucceeded,
  timerFired,
} from './given.ts';

describe('the deletion of an endpoint', () => {
  const requested = (placement: object | null) =>
    happened('EndpointDeletionRequested', {
      endpoint_id: ids.endpoint_id,
      project_id: ids.project_id,
      name: 'ocr-prod',
      placement,
      deadline: DEADLINE_AT,
    });
  const placed = requested({ cluster_id: ids.cluster_id, bud_cluster_id: 'bud-1', namespace: 'bud-ocr-1' });
  const deleted = happened('EndpointDeleted', { endpoint_id: ids.endpoint_id, name: 'ocr-prod' });

  it('deletes on the cluster first, then releases and records', () => {
    const start = given(endpointDeletion, placed);
    expect(start.names).to.deep.equal(['StartWorkflow', 'timer deadline', 'call cluster.delete-deployment']);
    expect(start.callInput('cluster.delete-deployment')).to.include({ cluster_id: 'bud-1', namespace: 'bud-ocr-1' });
    for (const done of [stepSucceeded('delete_namespace'), resulted('delete_deployment', null)]) {
      const { names } = given(endpointDeletion, placed, done);
      expect(names).to.deep.equal(['ReleaseCapacity', 'RecordEndpointDeleted']);
    }
  });

  it('takes step and results, which say the same, once', () => {
    const both = [stepSucceeded('delete_namespace'), resulted('delete_deployment', null)];
    expect(given(endpointDeletion, placed, ...both).names).to.equal(null);
    expect(given(endpointDeletion, placed, ...both, deleted).names).to.deep.equal(['CompleteWorkflow', 'end']);
  });

  it('calls nobody where nothing is on a cluster', () => {
    expect(given(endpointDeletion, requested(null)).names).to.deep.equal([
      'StartWorkflow',
      'timer deadline',
      'RecordEndpointDeleted',
    ]);
    const bare = requested({ cluster_id: ids.cluster_id, bud_cluster_id: 'bud-1', namespace: null });
    expect(given(endpointDeletion, bare).names).to.include('ReleaseCapacity');
  });

  it('fails and holds what it holds when the cluster fails, is late, or on request', () => {
    for (const trouble of [
      stepFailed('delete_namespace'),
      callFailed('cluster.delete-deployment'),
      timerFired('deadline'),
    ]) {
      const { names } = given(endpointDeletion, placed, trouble);
      expect(names).to.deep.equal(['abandon-calls', 'FailEndpointDeletion', 'FailWorkflow', 'end']);
    }
    expect(given(endpointDeletion, placed, cancelRequested).names).to.include('MarkWorkflowCancelled');
    const late = [placed, stepSucceeded('delete_namespace'), refused('RecordEndpointDeleted')];
    expect(given(endpointDeletion, ...late).names).to.include('FailWorkflow');
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
      expect(names).to.deep.equal(['abandon-calls', 'FailClusterRegistration', 'FailWorkflow', 'call cluster.cancel']);
    }
    expect(given(clusterOnboarding, requested, callFailed('cluster.register')).names).to.deep.equal([
      'abandon-calls',
      'FailClusterRegistration',
      'FailWorkflow',
    ]);
  });

  it('deletes a cluster that is registered after all, once', () => {
    const late = ignored('register_cluster', 'results', { id: 'bud-1', nodes: [] });
    const over = [requested, cancelRequested];
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
  const deleted = happened('ClusterDeleted', { cluster_id: ids.cluster_id, name: 'local' });

  it('has the service delete it, then records that', () => {
    expect(given(clusterDeletion, requested('bud-1')).callInput('cluster.delete')).to.include({ cluster_id: 'bud-1' });
    for (const done of [stepSucceeded('delete_namespace'), resulted('delete_cluster', null)]) {
      expect(given(clusterDeletion, requested('bud-1'), done).names).to.deep.equal(['RecordClusterDeleted']);
      expect(given(clusterDeletion, requested('bud-1'), done, deleted).names).to.deep.equal([
        'CompleteWorkflow',
        'end',
      ]);
    }
  });

  it('records at once what the service never knew', () => {
    expect(given(clusterDeletion, requested(null)).names).to.include('RecordClusterDeleted');
  });

  it('fails with the reason', () => {
    for (const trouble of [stepFailed('delete_namespace'), callFailed('cluster.delete'), timerFired('deadline')]) {
      const { names } = given(clusterDeletion, requested('bud-1'), trouble);
      expect(names).to.deep.equal(['abandon-calls', 'FailClusterDeletion', 'FailWorkflow', 'end']);
    }
  });
});
