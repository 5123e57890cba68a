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

/** From when something may be left on the cluster until the cluster confirms that nothing is. */
const UNDONE = ['abandon-calls', 'StartWorkflowUndo', 'StartWorkflowStep', 'RecordEndpointCleanupPending'];
const AGAIN = ['abandon-calls', 'RecordEndpointCleanupPending', 'RetryWorkflowStep'];
const confirmed = (...ending: string[]) => [
  'cancel-timer undo',
  'abandon-calls',
  'CompleteWorkflowStep',
  'ReleaseCapacity',
  'CompleteWorkflowStep',
  ...ending,
];
const GIVEN_UP = confirmed('FailEndpoint', 'FailWorkflow');

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
      expect(undoing.names).to.deep.equal([...UNDONE, 'call cluster.delete-deployment', 'timer undo']);
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
      expect(undoing.names).to.deep.equal([...UNDONE, 'call cluster.cancel-deployment', 'timer undo']);
      expect(undoing.callInput('cluster.cancel-deployment')).to.deep.equal({ workflow_id: 'theirs-1' });
      const over = given(...deploying, accepted, trouble, answered('cluster.cancel-deployment', null, {}));
      expect(over.names).to.deep.equal(GIVEN_UP);
    });
  }

  it('ends as cancelled when the user cancels', () => {
    const history = [...deploying, accepted, cancelRequested, answered('cluster.cancel-deployment', null, {})];
    const { names } = given(...history);
    expect(names).to.deep.equal(confirmed('CancelEndpoint', 'MarkWorkflowCancelled'));
    expect(given(requested, cancelRequested).names).to.deep.equal([
      'abandon-calls',
      'CancelEndpoint',
      'MarkWorkflowCancelled',
      'end',
    ]);
  });

  it('waits for the answer of a deployment in flight, since only that says what to cancel', () => {
    const cancelled = [...deploying, cancelRequested];
    expect(given(...cancelled).names).to.deep.equal([...UNDONE, 'timer undo']);
    expect(given(...cancelled, accepted).names).to.deep.equal(['call cluster.cancel-deployment', 'timer undo']);
    expect(given(...cancelled, callFailed('cluster.deploy', 422)).names).to.include('CancelEndpoint');
  });

  describe('while the cluster does not confirm', () => {
    const failing = [...deploying, accepted, resulted('deploy_model', deployment('failed'))];

    it('holds name and capacity, and asks again at the end of every attempt, at longer and longer intervals', () => {
      const seconds = Array.from({ length: 7 }, (_, index) => {
        const tried = Array.from({ length: index + 1 }, () => [
          callFailed('cluster.delete-deployment', 500),
          timerFired('undo'),
        ]).flat();
        const { names, intents, commandData } = given(...failing, ...tried);
        expect(names).to.deep.equal([...AGAIN, 'call cluster.delete-deployment', 'timer undo']);
        const { reason, deadline } = commandData('RecordEndpointCleanupPending') as {
          reason: { code: string; message: string };
          deadline: string;
        };
        expect(reason.code).to.equal('cleanup-pending');
        expect(reason.message).to.contain('has not confirmed yet that it removed bud-ocr-1');
        expect(intents).to.deep.include({ kind: 'timer', timer: 'undo', at: deadline });
        return (Date.parse(deadline) - Date.parse(AT)) / 1000;
      });
      expect(seconds).to.deep.equal([120, 240, 480, 600, 600, 600, 600]);
    });

    it('ends only when the cluster confirms, with the reason why the deployment failed', () => {
      const tried = [callFailed('cluster.delete-deployment'), timerFired('undo'), timerFired('deadline')];
      for (const confirmation of [
        resulted('delete_deployment', null),
        ignored('delete_deployment', 'delete_namespace'),
        callFailed('cluster.delete-deployment', 404),
      ]) {
        const { names, commandData } = given(...failing, ...tried, confirmation);
        expect(names).to.deep.equal(GIVEN_UP);
        expect(commandData('FailEndpoint')).to.have.nested.property('reason.code', 'deployment-not-ready');
      }
    });

    it('asks again for the cancellation, too, until the service stops the workflow or does not know it', () => {
      const cancelling = [...deploying, accepted, cancelRequested, callFailed('cluster.cancel-deployment')];
      expect(given(...cancelling).names).to.equal(null);
      const again = [...cancelling, timerFired('undo')];
      expect(given(...again).callInput('cluster.cancel-deployment')).to.deep.equal({ workflow_id: 'theirs-1' });
      for (const confirmation of [
        answered('cluster.cancel-deployment', null, {}),
        callFailed('cluster.cancel-deployment', 404),
      ]) {
        expect(given(...again, confirmation).names).to.include('CancelEndpoint');
      }
    });

    it('waits for a sign of a deployment whose answer is lost until the service answers and tells of none', () => {
      const lost = [...deploying, callFailed('cluster.deploy', undefined)];
      expect(given(...lost).names).to.deep.equal([...UNDONE, 'call cluster.health', 'timer undo']);
      expect(given(...lost, callFailed('cluster.health', undefined)).names).to.equal(null);
      const silent = [...lost, timerFired('undo')];
      expect(given(...silent).names).to.deep.equal([...AGAIN, 'call cluster.health', 'timer undo']);
      for (const alive of [answered('cluster.health', null, {}), callFailed('cluster.health', 404)]) {
        expect(given(...silent, alive).names).to.deep.equal(['timer undo']);
        expect(given(...silent, alive, timerFired('undo')).names).to.deep.equal(GIVEN_UP);
      }
      const told = ignored('deploy_model', 'results', deployment('ready'));
      expect(given(...silent, told).callInput('cluster.delete-deployment')).to.include({ namespace: 'bud-ocr-1' });
    });
  });

  it('ends when the endpoint is deleted, in every phase, and takes back what it did', () => {
    const deletion = happened('EndpointDeletionRequested', {
      ...{ endpoint_id: ids.endpoint_id, project_id: ids.project_id, name: 'ocr-prod', deadline: DEADLINE_AT },
      ...{ workflow_id: ids.other_cluster_id, placement: null, ends: ids.workflow_id },
    });
    expect(given(requested, deletion).names).to.include('CancelEndpoint');
    expect(given(...simulated, deletion).names).to.include('CancelEndpoint');
    expect(given(...simulated, found, deletion).names).to.include.members(['ReleaseCapacity', 'CancelEndpoint']);
    expect(given(...deploying, accepted, deletion).names).to.include('call cluster.cancel-deployment');
    expect(given(...deploying, accepted, ready, deletion).names).to.include('call cluster.delete-deployment');
    const done = answered('cluster.cancel-deployment', null, {});
    expect(given(...deploying, accepted, deletion, done).commandData('CancelEndpoint')).to.deep.include({
      workflow_id: ids.workflow_id,
    });
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
    expect(names).to.deep.equal(confirmed('CancelEndpoint', 'MarkWorkflowCancelled'));
    expect(commandData('MarkWorkflowCancelled')).to.have.nested.property('reason.code', 'cancelled');
  });

  it('deletes a success that comes while it is being cancelled', () => {
    const { names } = given(...deploying, accepted, timerFired('deadline'), ready);
    expect(names).to.deep.equal(['call cluster.delete-deployment', 'timer undo']);
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
      [[requested, callFailed('simulator.run', 422)], 'call-refused'],
      [[requested, resulted('get_cluster_recommendations', null)], 'simulation-failed'],
      [[requested, timerFired('placement')], 'placement-timed-out'],
      [[requested, timerFired('deadline')], 'deadline-exceeded'],
      [[requested, stepFailed('ranking')], 'step-failed'],
      [[requested, refused('BeginPlacement', 'model-deleted')], 'model-deleted'],
      [[...simulated, found, reservedOn(ids.cluster_id), refused('PlaceEndpoint', 'model-deleted')], 'model-deleted'],
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
