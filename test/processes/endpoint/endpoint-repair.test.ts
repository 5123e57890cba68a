import { expect } from 'chai';
import { createEndpointRepair } from '../../../src/processes/endpoint/endpoint-repair.ts';
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
  ignored,
  refused,
  resulted,
  timerFired,
} from '../given.ts';

const { endpoint_id, workflow_id, project_id, user_id, cluster_id } = ids;
const repair = createEndpointRepair({ objectUri: (key) => `file:///objects/${key}` });
const given = (...history: readonly Happened[]) => givenProcess(repair, ...history);
const other = '01890a5d-ac96-774b-bcce-b302099a8009';

const requestedAs = (data: object = {}) =>
  happened('EndpointRepairRequested', {
    ...{ endpoint_id, workflow_id, project_id, user_id, cluster_id, name: 'ocr-prod' },
    model_source: { kind: 'artefact', object_key: 'm', size_bytes: 7 },
    deploy_config: { concurrency: 1, input_tokens: 1, output_tokens: 1 },
    resources_per_replica: { cpu_millis: 250, memory_mib: 100 },
    ...{ bud_cluster_id: 'bud-1', simulator_id: 'sim-1', namespace: 'bud-ocr-1', replicas: 2 },
    ...{ known_workers: ['w-1', 'w-2'], missing: 1, redeploy: false, attempt: 1, deadline: DEADLINE_AT },
    ...data,
  });
const requested = requestedAs();
const redeploying = requestedAs({ redeploy: true, missing: 2 });
const worker = (name: string) => ({ id: `id-${name}`, name, status: 'Running' });
const listed = (...names: string[]) => answered('cluster.list-workers', null, { workers: names.map(worker) });
const counts = { total: 2, available: 2, failed: 0, pending: 0 };
const status = { status: 'ready', replicas: counts, ingress_health: true, worker_data_list: [] };
const added = resulted('add_worker', { namespace: 'bud-ocr-1', deployment_status: status });
const deployment = {
  namespace: 'bud-ocr-2',
  result: { deployment_url: 'http://there' },
  supported_endpoints: ['/v2'],
  deployment_status: status,
};
const repaired = happened('EndpointRepaired', {
  ...{ endpoint_id, deployment: null, replicas: counts, ingress_healthy: true, workers: [] },
});
const scaled = happened('EndpointScalingRequested', {
  ...{ endpoint_id, workflow_id: other, project_id, cluster_id, name: 'ocr-prod' },
  model_source: { kind: 'artefact', object_key: 'm', size_bytes: 7 },
  deploy_config: { concurrency: 1, input_tokens: 1, output_tokens: 1 },
  resources_per_replica: { cpu_millis: 250, memory_mib: 100 },
  ...{ bud_cluster_id: 'bud-1', simulator_id: 's', namespace: 'bud-ocr-1', replicas: 3, previous_replicas: 2 },
  deadline: DEADLINE_AT,
});
const deleting = happened('EndpointDeletionRequested', {
  ...{ endpoint_id, workflow_id: other, project_id, name: 'ocr-prod', placement: null, deadline: DEADLINE_AT },
});
const deleted = happened('EndpointDeleted', { endpoint_id, workflow_id: other, name: 'ocr-prod' });

describe('endpoint repair', () => {
  it('begins as a workflow, makes the reservation what it should be, and counts', () => {
    const { names, commandData, callInput } = given(requested);
    expect(names).to.deep.equal([
      ...['StartWorkflow', 'timer deadline', 'ReserveCapacity', 'call cluster.list-workers'],
    ]);
    expect(commandData('StartWorkflow')).to.include({ kind: 'endpoint-repair', deadline: DEADLINE_AT });
    expect(commandData('ReserveCapacity')).to.deep.include({
      replicas: 2,
      resources: { cpu_millis: 500, memory_mib: 200 },
    });
    expect(callInput('cluster.list-workers')).to.include({ namespace: 'bud-ocr-1', refresh: true });
  });

  it('adds as many replicas as are missing, once, and counts again', () => {
    const { names, callInput } = given(requested, listed('w-1'));
    expect(names).to.include('call cluster.add-worker');
    expect(callInput('cluster.add-worker')).to.include({ concurrency: 1, existing_deployment_namespace: 'bud-ocr-1' });
    const adding = [requested, listed('w-1'), answered('cluster.add-worker', 'theirs')];
    expect(given(...adding, added).names).to.deep.equal(['call cluster.list-workers']);
    expect(given(...adding, added, listed('w-1', 'w-3')).names).to.include('RecordEndpointRepaired');
    expect(given(...adding, added, listed('w-1')).names).to.include('FailEndpointRepair');
  });

  it('removes the unknown surplus, one at a time, until there are as many as desired', () => {
    const first = [requested, listed('w-1', 'w-2', 'stray', 'w-3')];
    expect(given(...first).callInput('cluster.delete-worker')).to.include({ worker_id: 'id-w-3' });
    const still = [...first, timerFired('recount'), listed('w-1', 'w-2', 'stray', 'w-3')];
    expect(given(...still).names).to.deep.equal(['timer recount']);
    const second = [...first, timerFired('recount'), listed('w-1', 'w-2', 'stray')];
    expect(given(...second).callInput('cluster.delete-worker')).to.include({ worker_id: 'id-stray' });
    const { names, commandData } = given(...second, timerFired('recount'), listed('w-1', 'w-2'));
    expect(names).to.deep.equal(['cancel-timer recount', 'RecordEndpointRepaired']);
    expect(commandData('RecordEndpointRepaired')).to.deep.include({ endpoint_id, deployment: null, replicas: counts });
  });

  it('deploys anew where the namespace is gone, and says where it is now', () => {
    const { names, callInput } = given(redeploying);
    expect(names).to.include('call cluster.deploy').and.not.include('call cluster.list-workers');
    expect(callInput('cluster.deploy')).to.deep.include({
      ...{ cluster_id: 'bud-1', model: 'file:///objects/m' },
      budaiscaler: { enabled: false, min_replicas: 2, max_replicas: 2 },
    });
    const { commandData } = given(redeploying, resulted('deploy_model', deployment));
    expect(commandData('RecordEndpointRepaired')).to.deep.include({
      deployment: {
        bud_cluster_id: 'bud-1',
        namespace: 'bud-ocr-2',
        url: 'http://there',
        supported_endpoints: ['/v2'],
      },
    });
  });

  it('ends well once the endpoint says so, and is ready for the next', () => {
    const done = [requested, listed('w-1', 'w-2'), repaired];
    expect(given(...done).names).to.deep.equal(['CompleteWorkflow']);
    expect(given(...done).state).to.deep.equal({ repair: null });
    expect(given(...done, requestedAs({ workflow_id: other })).names).to.include('StartWorkflow');
    expect(given(...done, deleted).names).to.deep.equal(['end']);
    expect(given(deleted).names).to.equal(null);
  });

  for (const [what, happens] of Object.entries({
    'a call fails': callFailed('cluster.list-workers'),
    'the reservation is refused': refused('ReserveCapacity', 'cluster-full'),
    'the deadline passes': timerFired('deadline'),
    'it is cancelled': cancelRequested,
  })) {
    it(`fails, so that it is tried again later, when ${what}`, () => {
      const { names } = given(requested, happens);
      expect(names?.slice(0, 2)).to.deep.equal(['abandon-calls', 'FailEndpointRepair']);
      expect(names?.[2]).to.be.oneOf(['FailWorkflow', 'MarkWorkflowCancelled']);
    });
  }

  it('gives way to scaling and deletion, and takes back what it was making', () => {
    for (const change of [scaled, deleting]) {
      expect(given(requested, change).names).to.deep.equal(['abandon-calls', 'MarkWorkflowCancelled']);
      const deploying = [redeploying, answered('cluster.deploy', 'theirs')];
      const { names, callInput } = given(...deploying, change);
      expect(names).to.deep.equal(['abandon-calls', 'MarkWorkflowCancelled', 'call cluster.cancel-deployment']);
      expect(callInput('cluster.cancel-deployment')).to.deep.equal({ workflow_id: 'theirs' });
      const made = [...deploying, resulted('deploy_model', deployment), change];
      expect(given(...made).callInput('cluster.delete-deployment')).to.include({ namespace: 'bud-ocr-2' });
      expect(given(...made, change).names).to.equal(null);
    }
  });

  it('takes back what comes too late, once', () => {
    const late = [redeploying, scaled, answered('cluster.deploy', 'theirs')];
    expect(given(...late).names).to.deep.equal(['call cluster.cancel-deployment']);
    const nevertheless = [...late, ignored('deploy_model', 'results', deployment)];
    expect(given(...nevertheless).callInput('cluster.delete-deployment')).to.include({ namespace: 'bud-ocr-2' });
    expect(given(...nevertheless, ignored('deploy_model', 'results', deployment)).names).to.equal(null);
    expect(given(...nevertheless, timerFired('deadline')).names).to.equal(null);
  });

  it('leaves a repair that was replaced, and follows the next', () => {
    const { names, state } = given(
      redeploying,
      answered('cluster.deploy', 'theirs'),
      requestedAs({ workflow_id: other }),
    );
    expect(names?.slice(3, 6)).to.deep.equal([
      'abandon-calls',
      'MarkWorkflowCancelled',
      'call cluster.cancel-deployment',
    ]);
    expect(state && repair.follows?.(state)).to.equal(other);
  });

  it('starts the next workflow before it takes the repair before it back, whose failure does not stop it', () => {
    const next = requestedAs({ workflow_id: other });
    const replaced = [requested, listed('w-1'), answered('cluster.add-worker', 'theirs-1'), next];
    const { names } = given(...replaced);
    expect(names?.indexOf('StartWorkflow')).to.be.lessThan(names?.indexOf('call cluster.cancel-deployment') ?? -1);
    const failed = happened('WorkflowCallFailed', {
      ...callFailed('cluster.cancel-deployment').data,
      workflow_id: other,
    });
    expect(given(...replaced, failed).names).to.equal(null);
  });

  it('goes on from what is stored', () => {
    const { state } = given(redeploying);
    expect(goOnFrom(repair, state, resulted('deploy_model', null)).names).to.include('FailEndpointRepair');
  });
});
