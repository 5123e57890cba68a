import { expect } from 'chai';
import { createModelDeployment } from '../../../src/processes/endpoint/model-deployment.ts';
import {
  AT,
  answered,
  callFailed,
  cancelRequested,
  DEADLINE_AT,
  given as givenProcess,
  goOnFrom,
  type Happened,
  happened,
  ids,
  ignored,
  refused,
  resulted,
  stepFailed,
  timerFired,
} from '../given.ts';

const manager = createModelDeployment({ objectUri: (key) => `file:///objects/${key}`, placement_seconds: 120 });
const given = (...history: readonly Happened[]) => givenProcess(manager, ...history);

const requested = happened('EndpointRequested', {
  endpoint_id: ids.endpoint_id,
  project_id: ids.project_id,
  project_name: 'demo',
  model_id: ids.model_id,
  model_name: 'ocr',
  model_source: { kind: 'artefact', object_key: 'models/ocr.onnx', size_bytes: 5_000_000 },
  name: 'ocr-prod',
  cluster_id: null,
  bud_cluster_id: null,
  replicas: 2,
  resources_per_replica: { cpu_millis: 250, memory_mib: 200 },
  deploy_config: { concurrency: 4, ttft_ms: [10, 500] },
  deadline: DEADLINE_AT,
});
const recommend = (...bud_cluster_ids: string[]) =>
  resulted('get_cluster_recommendations', {
    workflow_id: 'sim-1',
    recommendations: bud_cluster_ids.map((cluster_id) => ({
      cluster_id,
      metrics: { replica: 2 },
      reasons: ['most free memory'],
    })),
  });
const simulated = [requested, answered('simulator.run', 'sim-1'), recommend('bud-1', 'bud-2')];
const found = answered('lookup-clusters', null, [
  { cluster_id: ids.other_cluster_id, bud_cluster_id: 'bud-2', name: 'second' },
  { cluster_id: ids.cluster_id, bud_cluster_id: 'bud-1', name: 'first' },
]);
type Placed = { candidates: unknown };
const reservedOn = (cluster_id: string) =>
  happened('CapacityReserved', {
    cluster_id,
    endpoint_id: ids.endpoint_id,
    replicas: 2,
    resources: { cpu_millis: 500, memory_mib: 400 },
  });
const placed = happened('EndpointPlaced', {
  endpoint_id: ids.endpoint_id,
  cluster_id: ids.cluster_id,
  cluster_name: 'first',
  bud_cluster_id: 'bud-1',
  simulator_id: 'sim-1',
  reasons: [],
  candidates: [],
  deadline: DEADLINE_AT,
});
const deploying = [...simulated, found, reservedOn(ids.cluster_id), placed];
const accepted = answered('cluster.deploy', 'theirs-1');
const deployment = (status: string) => ({
  namespace: 'bud-ocr-1',
  result: { deployment_url: 'http://127.0.0.1:9000/ocr' },
  supported_endpoints: ['/v2/health/ready'],
  deployment_status: {
    status,
    ingress_health: true,
    replicas: { total: 2, available: 2, failed: 0, pending: 0 },
    worker_data_list: [{ name: 'w1', status: 'Running', node_name: 'n1', device_name: 'CPU' }],
  },
});
const ready = resulted('deploy_model', deployment('ready'));
const deployed = happened('EndpointDeployed', {
  endpoint_id: ids.endpoint_id,
  url: 'http://127.0.0.1:9000/ocr',
  namespace: 'bud-ocr-1',
  supported_endpoints: [],
  replicas: { total: 2, available: 2, failed: 0, pending: 0 },
  ingress_healthy: true,
  workers: [],
});

const GIVEN_UP = ['abandon-calls', 'ReleaseCapacity', 'FailEndpoint', 'FailWorkflow'];

describe('the deployment process', () => {
  it('shows a workflow, begins the placement and asks the simulator', () => {
    const { names, callInput } = given(requested);
    expect(names).to.deep.equal([
      'StartWorkflow',
      'timer deadline',
      'timer placement',
      'BeginPlacement',
      'call simulator.run',
    ]);
    expect(callInput('simulator.run')).to.deep.include({
      model_uri: 'file:///objects/models/ocr.onnx',
      concurrency: 4,
      target_ttft: 500,
      cluster_id: null,
      source_topic: 'budAppMessages',
      notification_metadata: { name: 'bud-internal', subscriber_ids: ids.user_id, workflow_id: ids.workflow_id },
    });
  });

  it('looks the clusters up once both the answer and the result of the simulator are there, in either order', () => {
    expect(given(...simulated).names).to.deep.equal(['StartWorkflowStep', 'lookup-clusters']);
    const bare = resulted('get_cluster_recommendations', {
      recommendations: [{ cluster_id: 'bud-1', metrics: {} }],
    });
    expect(given(requested, bare).names).to.deep.equal([]);
    expect(given(requested, bare, answered('simulator.run', 'sim-9')).names).to.include('lookup-clusters');
    expect(given(requested, recommend('bud-1')).names).to.include('lookup-clusters');
  });

  it('reserves room for all replicas on the best cluster that is one of ours', () => {
    expect(given(...simulated, found).commandData('ReserveCapacity')).to.deep.equal({
      cluster_id: ids.cluster_id,
      endpoint_id: ids.endpoint_id,
      workflow_id: ids.workflow_id,
      replicas: 2,
      resources: { cpu_millis: 500, memory_mib: 400 },
    });
  });

  it('tries the next cluster where the best has no room', () => {
    const { commandData } = given(...simulated, found, refused('ReserveCapacity', 'cluster-full'));
    expect(commandData('ReserveCapacity')).to.include({ cluster_id: ids.other_cluster_id });
  });

  it('shows in the placement which clusters were passed over and why, and what was free on the one it took', () => {
    const full = refused('ReserveCapacity', 'cluster-full');
    const free = { cpu_millis: 1550, memory_mib: 400 };
    const second = reservedOn(ids.other_cluster_id);
    const reserved = { ...second, data: { ...second.data, free } };
    const { candidates } = given(...simulated, found, full, reserved).commandData('PlaceEndpoint') as Placed;
    expect(candidates).to.deep.equal([
      {
        bud_cluster_id: 'bud-1',
        rank: 1,
        reasons: ['most free memory'],
        passed_over: { code: 'cluster-full', message: 'The domain said no.' },
      },
      {
        bud_cluster_id: 'bud-2',
        rank: 2,
        reasons: ['most free memory', '0.5 cores and 400 MiB reserved of 1.55 cores and 400 MiB free'],
      },
    ]);
  });

  it('fails as cluster-full, saying what was tried, where no cluster has room', () => {
    const full = refused('ReserveCapacity', 'cluster-full');
    const { names, commandData, ended } = given(...simulated, found, full, full);
    expect(names).to.deep.equal(['abandon-calls', 'FailEndpoint', 'FailWorkflow', 'end']);
    expect(ended).to.equal(true);
    const { reason } = commandData('FailEndpoint') as { reason: { code: string; message: string } };
    expect(reason.code).to.equal('cluster-full');
    const away = refused('ReserveCapacity', 'cluster-not-available');
    const mixed = given(...simulated, found, full, away).commandData('FailEndpoint');
    expect(mixed).to.have.nested.property('reason.code', 'no-capacity');
    expect(reason.message).to.contain('first: The domain said no.').and.contain('second:');
  });

  it('ignores clusters that are not the tenant’s', () => {
    const { commandData } = given(...simulated, answered('lookup-clusters', null, []));
    expect(commandData('FailEndpoint')).to.have.nested.property('reason.code', 'no-capacity');
  });

  it('uses only the cluster that the request names', () => {
    const named = happened('EndpointRequested', {
      ...requested.data,
      cluster_id: ids.cluster_id,
      bud_cluster_id: 'bud-1',
    });
    expect(given(named).callInput('simulator.run')).to.include({ cluster_id: 'bud-1' });
    const { names } = given(named, answered('simulator.run', 'sim-1'), recommend('bud-2'));
    expect(names).to.include('FailEndpoint');
  });

  it('places the endpoint once the capacity is reserved, then has the cluster deploy it', () => {
    const reserved = given(...simulated, found, reservedOn(ids.cluster_id));
    expect(reserved.names).to.deep.equal(['cancel-timer placement', 'CompleteWorkflowStep', 'PlaceEndpoint']);
    const { callInput, names } = given(...deploying);
    expect(names).to.deep.equal(['call cluster.deploy']);
    expect(callInput('cluster.deploy')).to.deep.include({
      cluster_id: 'bud-1',
      simulator_id: 'sim-1',
      endpoint_name: 'ocr-prod',
      budaiscaler: { enabled: false, min_replicas: 2, max_replicas: 2 },
    });
  });

  it('records a deployment that is ready, also where the result comes before the call’s own answer', () => {
    for (const history of [
      [...deploying, accepted, ready],
      [...deploying, ready],
    ]) {
      const { names, commandData } = given(...history);
      expect(names).to.deep.equal(['StartWorkflowStep', 'RecordEndpointDeployed']);
      expect(commandData('RecordEndpointDeployed')).to.deep.include({
        url: 'http://127.0.0.1:9000/ocr',
        namespace: 'bud-ocr-1',
        replicas: { total: 2, available: 2, failed: 0, pending: 0 },
        ingress_healthy: true,
        supported_endpoints: ['/v2/health/ready'],
      });
    }
    expect(given(...deploying, ready, accepted).names).to.equal(null);
  });

  it('ends once the endpoint runs', () => {
    const { names } = given(...deploying, accepted, ready, deployed);
    expect(names).to.deep.equal(['CompleteWorkflowStep', 'CompleteWorkflow', 'end']);
  });

  it('takes a result that comes twice once', () => {
    expect(given(...deploying, accepted, ready, ready).names).to.equal(null);
  });

  for (const status of ['pending', 'ingress_failed', 'endpoints_failed', 'failed', 'error']) {
    it(`deletes a deployment that is reported as ${status}, then fails`, () => {
      const history = [...deploying, accepted, resulted('deploy_model', deployment(status))];
      const undoing = given(...history);
      expect(undoing.names).to.deep.equal(['abandon-calls', 'call cluster.delete-deployment', 'timer undo']);
      expect(undoing.callInput('cluster.delete-deployment')).to.include({
        namespace: 'bud-ocr-1',
        cluster_id: 'bud-1',
      });
      const over = given(...history, resulted('delete_deployment', null));
      expect(over.names).to.deep.equal(GIVEN_UP);
      expect(over.commandData('FailEndpoint')).to.have.nested.property('reason.code', 'deployment-not-ready');
    });
  }

  for (const [what, trouble] of Object.entries({
    'a step fails': stepFailed('deploy_to_engine'),
    'there is no result': resulted('deploy_model', null),
    'the deadline is over': timerFired('deadline'),
  })) {
    it(`cancels on the cluster, releases and fails when ${what}`, () => {
      const undoing = given(...deploying, accepted, trouble);
      expect(undoing.names).to.deep.equal(['abandon-calls', 'call cluster.cancel-deployment', 'timer undo']);
      expect(undoing.callInput('cluster.cancel-deployment')).to.deep.equal({ workflow_id: 'theirs-1' });
      const over = given(...deploying, accepted, trouble, answered('cluster.cancel-deployment', null, {}));
      expect(over.names).to.deep.equal(GIVEN_UP);
    });
  }

  it('ends as cancelled when the user cancels', () => {
    const history = [...deploying, accepted, cancelRequested, answered('cluster.cancel-deployment', null, {})];
    const { names } = given(...history);
    expect(names).to.deep.equal(['abandon-calls', 'ReleaseCapacity', 'CancelEndpoint', 'MarkWorkflowCancelled']);
    expect(given(requested, cancelRequested).names).to.deep.equal([
      'abandon-calls',
      'CancelEndpoint',
      'MarkWorkflowCancelled',
      'end',
    ]);
  });

  it('waits for the answer of a deployment in flight, since only that says what to cancel', () => {
    const cancelled = [...deploying, cancelRequested];
    expect(given(...cancelled).names).to.deep.equal(['abandon-calls', 'timer undo']);
    expect(given(...cancelled, accepted).names).to.deep.equal(['call cluster.cancel-deployment']);
    expect(given(...cancelled, callFailed('cluster.deploy')).names).to.include('CancelEndpoint');
    expect(given(...cancelled, timerFired('undo')).names).to.include('CancelEndpoint');
  });

  it('fails all the same, saying what may be left, when the clean-up fails too', () => {
    const history = [...deploying, accepted, resulted('deploy_model', deployment('failed'))];
    for (const last of [callFailed('cluster.delete-deployment'), timerFired('undo')]) {
      const { names, commandData } = given(...history, last);
      expect(names).to.deep.equal(GIVEN_UP);
      const { reason } = commandData('FailEndpoint') as { reason: { message: string } };
      expect(reason.message).to.contain('did not confirm that it removed bud-ocr-1');
    }
  });

  it('carries on with an undoing whose state an earlier version stored', () => {
    const stored = {
      phase: 'undoing',
      wanted: {
        workflow_id: ids.workflow_id,
        user_id: ids.user_id,
        endpoint_id: ids.endpoint_id,
        project_id: ids.project_id,
        model_id: ids.model_id,
        name: 'ocr-prod',
        model_uri: 'file:///objects/models/ocr.onnx',
        provider: 'disk',
        size_bytes: 5_000_000,
        replicas: 2,
        resources_per_replica: { cpu_millis: 250, memory_mib: 200 },
        deploy_config: { concurrency: 4, input_tokens: 256, output_tokens: 256 },
        bud_cluster_id: null,
        deadline: DEADLINE_AT,
      },
      option: { cluster_id: ids.cluster_id, bud_cluster_id: 'bud-1', name: 'first' },
      trouble: { reason: { code: 'cancelled', message: 'It was cancelled on request.' }, ending: 'cancelled' },
      awaiting: 'cancel',
      namespace: null,
    };
    const { names, commandData } = goOnFrom(manager, stored, answered('cluster.cancel-deployment', null));
    expect(names).to.deep.equal(['abandon-calls', 'ReleaseCapacity', 'CancelEndpoint', 'MarkWorkflowCancelled']);
    expect(commandData('MarkWorkflowCancelled')).to.have.nested.property('reason.code', 'cancelled');
  });

  it('deletes a success that comes while it is being cancelled', () => {
    const { names } = given(...deploying, accepted, timerFired('deadline'), ready);
    expect(names).to.deep.equal(['call cluster.delete-deployment']);
  });

  it('deletes a success that comes after the end, once', () => {
    const over = [...deploying, accepted, timerFired('deadline'), answered('cluster.cancel-deployment', null, {})];
    const late = ignored('deploy_model', 'results', deployment('ready'));
    expect(given(...over, late).callInput('cluster.delete-deployment')).to.include({ namespace: 'bud-ocr-1' });
    expect(given(...over, late, late).names).to.equal(null);
  });

  it('takes the deployment back when the endpoint cannot be recorded any more', () => {
    const { names } = given(...deploying, accepted, ready, refused('RecordEndpointDeployed'));
    expect(names).to.include('call cluster.delete-deployment');
  });

  it('fails before the deployment when a call, a command or the time for the placement fails it', () => {
    for (const [history, code] of [
      [[requested, callFailed('simulator.run')], 'call-refused'],
      [[requested, resulted('get_cluster_recommendations', null)], 'simulation-failed'],
      [[requested, timerFired('placement')], 'placement-timed-out'],
      [[requested, timerFired('deadline')], 'deadline-exceeded'],
      [[requested, stepFailed('ranking')], 'step-failed'],
      [
        [...simulated, found, reservedOn(ids.cluster_id), refused('PlaceEndpoint', 'model-not-active')],
        'model-not-active',
      ],
    ] as const) {
      const { commandData, ended } = given(...history);
      expect(commandData('FailEndpoint'), code).to.have.nested.property('reason.code', code);
      expect(ended).to.equal(true);
    }
  });

  it('gives the placement as long as is set', () => {
    const hasty = createModelDeployment({ objectUri: (key) => key, placement_seconds: 30 });
    const at = new Date(Date.parse(AT) + 30_000).toISOString();
    expect(givenProcess(hasty, requested).intents).to.deep.include({ kind: 'timer', timer: 'placement', at });
  });

  it('does not mind the placement timer any more once there is room', () => {
    expect(given(...simulated, found, reservedOn(ids.cluster_id), timerFired('placement')).names).to.equal(null);
  });

  it('means nothing to workflows of others', () => {
    expect(given(timerFired('deadline')).names).to.equal(null);
  });
});
