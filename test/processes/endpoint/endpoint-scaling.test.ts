import { expect } from 'chai';
import { createEndpointScaling } from '../../../src/processes/endpoint/endpoint-scaling.ts';
import {
  answered,
  callFailed,
  cancelRequested,
  DEADLINE_AT,
  given as givenProcess,
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

const GIVEN_UP = ['abandon-calls', 'ReserveCapacity', 'FailEndpointScaling', 'FailWorkflow', 'end'];

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
    it(`gives the reservation back and lets run what runs when ${what}`, () => {
      const { names, commandData } = given(up, reserved, trouble);
      expect(names).to.deep.equal(GIVEN_UP);
      expect(commandData('ReserveCapacity')).to.include({ replicas: 2 });
    });
  }

  it('fails where there is no room', () => {
    expect(given(up, refused('ReserveCapacity', 'cluster-full')).names).to.deep.equal(GIVEN_UP);
  });

  it('ends as cancelled on request', () => {
    expect(given(up, reserved, cancelRequested).names).to.include('MarkWorkflowCancelled');
  });
});

describe('stopping and starting', () => {
  it('removes every replica, and reserves nothing from then on', () => {
    const stop = requested(1, 0);
    expect(given(stop, workers('a')).callInput('cluster.delete-worker')).to.include({ worker_id: 'id-a' });
    const { names, commandData } = given(stop, workers('a'), workers());
    expect(names).to.deep.equal(['cancel-timer recount', 'ReserveCapacity', 'RecordEndpointScaled']);
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
    const { commandData } = given(start, refused('ReserveCapacity', 'cluster-full'));
    expect(commandData('ReserveCapacity')).to.include({ replicas: 0 });
  });
});

describe('scaling down', () => {
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
    const { names, commandData } = given(down, workers('a', 'b', 'c'), workers('a'));
    expect(names).to.deep.equal(['cancel-timer recount', 'ReserveCapacity', 'RecordEndpointScaled']);
    expect(commandData('ReserveCapacity')).to.include({ replicas: 1 });
    expect(commandData('RecordEndpointScaled')).to.deep.include({
      replicas: { total: 1, available: 1, failed: 0, pending: 0 },
    });
  });

  it('fails when the cluster cannot list its replicas', () => {
    expect(given(down, answered('cluster.list-workers', null, 'nonsense')).names).to.deep.equal(GIVEN_UP);
  });
});
