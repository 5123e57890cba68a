import { expect } from 'chai';
import { createEndpointScaling } from '../../../src/processes/endpoint/endpoint-scaling.ts';
import {
  answered,
  callFailed,
  cancelRequested,
  DEADLINE_AT,
  given as givenProcess,
  goOnFrom,
  type Happened,
  happened,
  ids,
  refused,
  resulted,
  stepFailed,
  timerFired,
} from '../given.ts';

const manager = createEndpointScaling({ objectUri: (key) => `file:///objects/${key}` });
const given = (...history: readonly Happened[]) => givenProcess(manager, ...history);

const requested = (previous_replicas: number, replicas: number) =>
  happened('EndpointScalingRequested', {
    endpoint_id: ids.endpoint_id,
    project_id: ids.project_id,
    name: 'ocr-prod',
    model_source: { kind: 'artefact', object_key: 'models/ocr.onnx', size_bytes: 5 },
    deploy_config: {},
    resources_per_replica: { cpu_millis: 250, memory_mib: 200 },
    cluster_id: ids.cluster_id,
    bud_cluster_id: 'bud-1',
    simulator_id: 'sim-1',
    namespace: 'bud-ocr-1',
    replicas,
    previous_replicas,
    deadline: DEADLINE_AT,
  });
const reserved = happened('CapacityReserved', {
  cluster_id: ids.cluster_id,
  endpoint_id: ids.endpoint_id,
  replicas: 4,
  resources: { cpu_millis: 1000, memory_mib: 800 },
});
const workers = (...names: string[]) =>
  answered('cluster.list-workers', null, {
    workers: names.map((name) => ({ id: `id-${name}`, name, status: name.startsWith('sick') ? 'Pending' : 'Running' })),
  });
const observed = { replicas: { total: 4, available: 4, failed: 0, pending: 0 }, ingress_healthy: true, workers: [] };
const scaled = happened('EndpointScaled', { endpoint_id: ids.endpoint_id, ...observed });
const added = (status: string) =>
  resulted('add_worker', {
    namespace: 'bud-ocr-1',
    deployment_status: { status, replicas: { total: 4, available: 4 } },
  });

const UNDOING = ['abandon-calls', 'StartWorkflowUndo', 'StartWorkflowStep', 'RecordEndpointCleanupPending'];
const UNDONE = [
  ...['abandon-calls', 'cancel-timer undo', 'ReserveCapacity', 'CompleteWorkflowStep'],
  ...['FailEndpointScaling', 'RecordEndpointReport', 'FailWorkflow', 'end'],
];
const COUNTING = [...UNDOING, 'call cluster.list-workers', 'timer undo'];

describe('scaling up', () => {
  const up = requested(2, 4);

  it('reserves the new total first, then has the difference added', () => {
    const { commandData } = given(up);
    expect(commandData('ReserveCapacity')).to.deep.include({
      replicas: 4,
      resources: { cpu_millis: 1000, memory_mib: 800 },
    });
    expect(given(up, reserved).callInput('cluster.add-worker')).to.include({
      concurrency: 2,
      existing_deployment_namespace: 'bud-ocr-1',
      cluster_id: 'bud-1',
    });
  });

  it('records what the cluster says and ends', () => {
    expect(given(up, reserved, added('ready')).names).to.deep.equal(['RecordEndpointScaled']);
    expect(given(up, reserved, added('ready'), scaled).names).to.deep.equal(['CompleteWorkflow', 'end']);
  });

  for (const [what, trouble] of Object.entries({
    'the cluster reports failure': added('failed'),
    'there is no result': resulted('add_worker', null),
    'a step fails': stepFailed('deploy_to_engine'),
    'the call is refused': callFailed('cluster.add-worker'),
    'the time is over': timerFired('deadline'),
  })) {
    it(`counts what there is, and gives the reservation back, when ${what}`, () => {
      expect(given(up, reserved, trouble).names).to.deep.equal(COUNTING);
      const { names, commandData } = given(up, reserved, trouble, workers('a', 'b', 'c'));
      expect(names).to.deep.equal(UNDONE);
      expect(commandData('ReserveCapacity')).to.include({ replicas: 2 });
      const counted = { replicas: { total: 3, available: 3, failed: 0, pending: 0 } };
      expect(commandData('RecordEndpointReport')).to.deep.include(counted);
      expect(commandData('FailEndpointScaling')).to.have.property('observed').that.deep.includes(counted);
    });
  }

  it('fails where there is no room', () => {
    expect(given(up, refused('ReserveCapacity', 'cluster-full')).names).to.deep.equal(COUNTING);
  });

  it('ends as cancelled on request, once the cluster has stopped what it does for it', () => {
    const accepted = answered('cluster.add-worker', 'theirs-1');
    const cancelled = [up, reserved, accepted, cancelRequested];
    expect(given(...cancelled).names).to.deep.equal([...UNDOING, 'call cluster.cancel-deployment', 'timer undo']);
    expect(given(...cancelled, workers('a', 'b')).names).to.equal(null);
    for (const stopped of [
      answered('cluster.cancel-deployment', null, {}),
      callFailed('cluster.cancel-deployment', 404),
    ]) {
      expect(given(...cancelled, stopped).names).to.deep.equal(['call cluster.list-workers']);
      expect(given(...cancelled, stopped, workers('a', 'b')).names).to.include('MarkWorkflowCancelled');
    }
    const inFlight = [up, reserved, cancelRequested, accepted];
    expect(given(...inFlight).callInput('cluster.cancel-deployment')).to.deep.equal({ workflow_id: 'theirs-1' });
  });

  it('asks again and again, holding the capacity, while the cluster does not answer', () => {
    const accepted = answered('cluster.add-worker', 'theirs-1');
    const silent = [up, reserved, accepted, timerFired('deadline'), callFailed('cluster.cancel-deployment')];
    expect(given(...silent).names).to.equal(null);
    const { names, commandData } = given(...silent, timerFired('undo'));
    expect(names).to.deep.equal([
      ...['abandon-calls', 'RecordEndpointCleanupPending', 'RetryWorkflowStep'],
      ...['call cluster.cancel-deployment', 'timer undo'],
    ]);
    expect(commandData('RecordEndpointCleanupPending')).to.have.nested.property('reason.code', 'cleanup-pending');
    const gone = [...silent, callFailed('cluster.cancel-deployment', 404), callFailed('cluster.list-workers', 404)];
    expect(given(...gone).commandData('RecordEndpointReport')).to.include({ status: 'missing' });
  });

  it('gives way to a deletion in every phase', () => {
    const deletion = happened('EndpointDeletionRequested', {
      ...{ endpoint_id: ids.endpoint_id, project_id: ids.project_id, name: 'ocr-prod', deadline: DEADLINE_AT },
      ...{ workflow_id: ids.other_cluster_id, placement: null, ends: ids.workflow_id },
    });
    for (const history of [
      [up],
      [up, reserved],
      [up, reserved, timerFired('deadline')],
      [up, reserved, added('ready')],
    ]) {
      const { names, commandData } = given(...history, deletion);
      expect(names).to.deep.equal(['abandon-calls', 'FailEndpointScaling', 'MarkWorkflowCancelled', 'end']);
      expect(commandData('FailEndpointScaling')).to.deep.include({ workflow_id: ids.workflow_id });
    }
  });

  it('goes on from what an earlier version has stored', () => {
    const { wanted } = given(up, reserved).state ?? {};
    const goneOn = goOnFrom(manager, { phase: 'adding', wanted }, added('ready'));
    expect(goneOn.names).to.deep.equal(['RecordEndpointScaled']);
    expect(goOnFrom(manager, { phase: 'adding', wanted }, timerFired('deadline')).names).to.deep.equal(COUNTING);
  });
});

describe('stopping and starting', () => {
  it('removes every replica, and reserves nothing from then on', () => {
    const stop = requested(1, 0);
    expect(given(stop, workers('a')).callInput('cluster.delete-worker')).to.include({ worker_id: 'id-a' });
    const confirming = happened('WorkflowStepStarted', {
      step: 'confirm_replicas',
      message: '',
      deadline: DEADLINE_AT,
    });
    const { names, commandData } = given(stop, workers('a'), workers(), confirming);
    expect(names).to.deep.equal(['ReserveCapacity', 'RecordEndpointScaled']);
    expect(commandData('ReserveCapacity')).to.deep.include({
      replicas: 0,
      resources: { cpu_millis: 0, memory_mib: 0 },
    });
  });

  it('adds all replicas to the deployment that was kept, and keeps nothing reserved where there is no room', () => {
    const start = requested(0, 2);
    expect(given(start, reserved).callInput('cluster.add-worker')).to.include({
      concurrency: 2,
      existing_deployment_namespace: 'bud-ocr-1',
    });
    const { commandData } = given(start, refused('ReserveCapacity', 'cluster-full'), workers());
    expect(commandData('ReserveCapacity')).to.include({ replicas: 0 });
  });
});

describe('scaling down', () => {
  const confirming = happened('WorkflowStepStarted', { step: 'confirm_replicas', message: '', deadline: DEADLINE_AT });
  const down = requested(3, 1);

  it('removes one replica at a time, those that do not run first, and counts in between', () => {
    const first = given(down, workers('a', 'b', 'sick'));
    expect(first.callInput('cluster.delete-worker')).to.include({ worker_id: 'id-sick' });
    expect(given(down, workers('a', 'b', 'sick'), timerFired('recount')).names).to.deep.equal([
      'call cluster.list-workers',
    ]);
    const waiting = given(down, workers('a', 'b', 'sick'), workers('a', 'b', 'sick'));
    expect(waiting.names).to.deep.equal(['timer recount']);
    const second = given(down, workers('a', 'b', 'sick'), workers('a', 'b'));
    expect(second.callInput('cluster.delete-worker')).to.include({ worker_id: 'id-b' });
  });

  it('never asks for more to go than are too many', () => {
    const counted = [down, workers('a', 'b', 'c'), workers('a')];
    expect(given(...counted).names).to.deep.equal([
      'cancel-timer recount',
      'CompleteWorkflowStep',
      'StartWorkflowStep',
    ]);
    const { names, commandData } = given(...counted, confirming);
    expect(names).to.deep.equal(['ReserveCapacity', 'RecordEndpointScaled']);
    expect(given(...counted, refused('StartWorkflowStep', 'unknown-step')).names).to.include('RecordEndpointScaled');
    expect(commandData('ReserveCapacity')).to.include({ replicas: 1 });
    expect(commandData('RecordEndpointScaled')).to.deep.include({
      replicas: { total: 1, available: 1, failed: 0, pending: 0 },
    });
  });

  it('fails when the cluster cannot list its replicas', () => {
    expect(given(down, answered('cluster.list-workers', null, 'nonsense')).names).to.deep.equal(COUNTING);
  });

  it('shows what is left when it is cancelled in the middle, so that it is repaired', () => {
    const cancelled = [down, workers('a', 'b', 'c'), workers('a', 'b'), cancelRequested];
    expect(given(...cancelled).names).to.deep.equal(COUNTING);
    const { commandData } = given(...cancelled, workers('a', 'b'));
    expect(commandData('ReserveCapacity')).to.include({ replicas: 3 });
    const counted = { replicas: { total: 2, available: 2, failed: 0, pending: 0 } };
    expect(commandData('RecordEndpointReport')).to.deep.include(counted);
  });

  it('is cancelled until the number of replicas is confirmed', () => {
    const counted = [down, workers('a')];
    expect(given(...counted, cancelRequested).names).to.deep.equal(COUNTING);
    expect(given(...counted, confirming, cancelRequested).names).to.equal(null);
    const one = happened('EndpointScaled', { endpoint_id: ids.endpoint_id, ...observed });
    expect(given(...counted, confirming, one).names).to.deep.equal(['CompleteWorkflowStep', 'CompleteWorkflow', 'end']);
  });

  it('says at once where fewer are left than are desired', () => {
    const { names } = given(requested(3, 2), workers('a'), confirming);
    expect(names).to.deep.equal(['ReserveCapacity', 'RecordEndpointScaled', 'RecordEndpointReport']);
  });
});
