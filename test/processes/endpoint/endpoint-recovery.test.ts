import { expect } from 'chai';
import { commandIdOf, deriveId, EndpointId, ProjectId } from '../../../src/events/ids.ts';
import { endpointRecovery } from '../../../src/processes/endpoint/endpoint-recovery.ts';
import { fact } from '../../commands/fixture.ts';
import {
  AT,
  answered,
  callFailed,
  DEADLINE_AT,
  given as givenProcess,
  type Happened,
  happened,
  ids,
  refused,
  timerFired,
} from '../given.ts';

const given = (...history: readonly Happened[]) => givenProcess(endpointRecovery, ...history);
const { endpoint_id, workflow_id, project_id, user_id } = ids;

const seen = { replicas: { total: 2, available: 1, failed: 1, pending: 0 }, ingress_healthy: true, workers: [] };
const recovery = {
  workflow_id,
  project_id,
  user_id,
  name: 'ocr-prod',
  bud_cluster_id: 'bud-1',
  namespace: 'bud-ocr-1',
};
const degraded = (cause = 'replicas-missing', of: string = workflow_id) =>
  happened('EndpointDegraded', {
    endpoint_id,
    ...seen,
    reason: { code: cause, message: '1 of 2 replicas are available.' },
    deadline: DEADLINE_AT,
    recovery: { ...recovery, workflow_id: of, cause },
  });
/** Another recovery. */
const other = '01890a5d-ac96-774b-bcce-b302099a8009';
const NEXT_DEADLINE_AT = '2030-01-01T10:25:00.000Z';
const overdueSince = happened('EndpointRecoveryOverdue', {
  endpoint_id,
  workflow_id,
  reason: { code: 'recovery-overdue', message: 'It did not recover in time.' },
  deadline: NEXT_DEADLINE_AT,
  recovery: { ...recovery, workflow_id: other, cause: 'ingress-unhealthy' },
});
const endpointId = EndpointId.parse(endpoint_id);
const deployed = [
  fact('EndpointRequested', { endpoint_id: endpointId, project_id: ProjectId.parse(project_id), name: 'ocr-prod' }),
  fact('EndpointPlaced', { endpoint_id: endpointId }),
  fact('EndpointDeployed', { endpoint_id: endpointId, namespace: 'bud-ocr-1' }),
];
const workers = (deployment_status?: string) =>
  answered('cluster.list-workers', null, {
    workers: ['a', 'b'].map((name) => ({ id: name, name, status: 'Running', deployment_status })),
  });
const recovered = happened('EndpointRecovered', { endpoint_id, ...seen, recovery_id: workflow_id });
const later = (seconds: number) => new Date(Date.parse(AT) + seconds * 1000).toISOString();

describe('endpoint recovery', () => {
  it('begins, as a workflow with a deadline, when an endpoint becomes degraded', () => {
    const { names, intents, commandData } = given(degraded());
    expect(names).to.deep.equal(['StartWorkflow', 'timer deadline', 'StartWorkflowStep', 'timer check']);
    expect(commandData('StartWorkflow')).to.include({ kind: 'endpoint-recovery', user_id, deadline: DEADLINE_AT });
    expect(intents).to.deep.include({ kind: 'timer', timer: 'deadline', at: DEADLINE_AT });
    expect(intents).to.deep.include({ kind: 'timer', timer: 'check', at: later(15) });
  });

  it('asks the cluster for the truth at each check, and again a minute later', () => {
    const { names, intents, callInput } = given(degraded(), timerFired('check'));
    expect(names).to.deep.equal(['call cluster.list-workers', 'timer check']);
    expect(callInput('cluster.list-workers')).to.include({
      cluster_id: 'bud-1',
      namespace: 'bud-ocr-1',
      refresh: true,
    });
    expect(intents).to.deep.include({ kind: 'timer', timer: 'check', at: later(60) });
  });

  it('records what the cluster says', () => {
    expect(given(degraded(), timerFired('check'), workers()).commandData('RecordEndpointReport')).to.deep.include({
      endpoint_id,
      status: 'unknown',
      ingress_healthy: null,
      replicas: { total: 2, available: 2, failed: 0, pending: 0 },
    });
  });

  it('does not take running replicas for a healthy ingress or a healthy deployment', () => {
    const said = (cause: string, status?: string) =>
      given(degraded(cause), timerFired('check'), workers(status)).commandData('RecordEndpointReport');
    expect(said('ingress-unhealthy')).to.include({ ingress_healthy: false });
    expect(said('cluster-reports-failure')).to.include({ status: 'error' });
    expect(said('ingress-unhealthy', 'ready')).to.include({ status: 'ready', ingress_healthy: true });
    expect(said('cluster-reports-failure', 'failed')).to.include({ status: 'failed' });
  });

  for (const [what, hiccup] of Object.entries({
    'a check gets no answer': callFailed('cluster.list-workers'),
    'the answer cannot be read': answered('cluster.list-workers', null, 'nonsense'),
    'a report cannot be recorded': refused('RecordEndpointReport', 'concurrent-change'),
  })) {
    it(`goes on to the next check when ${what}`, () => {
      expect(given(degraded(), timerFired('check'), hiccup).names).to.equal(null);
      expect(given(degraded(), hiccup, timerFired('check')).names).to.include('call cluster.list-workers');
    });
  }

  it('ends well when the endpoint recovers, and begins anew when it becomes degraded again', () => {
    const { names, ended, state } = given(degraded(), recovered);
    expect(names).to.deep.equal(['abandon-calls', 'CompleteWorkflow']);
    expect({ ended, recovery: state?.recovery }).to.deep.equal({ ended: false, recovery: null });
    expect(given(degraded(), recovered, recovered).names).to.equal(null);
    const again = given(degraded(), recovered, degraded('ingress-unhealthy', other));
    expect(again.names).to.deep.equal(['StartWorkflow', 'timer deadline', 'StartWorkflowStep', 'timer check']);
    expect(again.commandData('StartWorkflow')).to.include({ workflow_id: other });
    expect(again.state?.recovery).to.include({ workflow_id: other, cause: 'ingress-unhealthy' });
  });

  it('needs nothing but what the facts of the endpoint say of itself', () => {
    const bare = (cause?: string) => {
      const { type, data } = degraded(cause);
      return happened(type, { ...data, recovery: undefined });
    };
    const { commandData, state } = given(...deployed, bare());
    const recovery_id = deriveId(commandIdOf('test 3'), 'recovery');
    expect(commandData('StartWorkflow')).to.deep.include({
      ...{ workflow_id: recovery_id, user_id, project_id, kind: 'endpoint-recovery', deadline: DEADLINE_AT },
      target: { area: 'endpoint', id: endpoint_id, name: 'ocr-prod' },
    });
    expect(state && endpointRecovery.follows?.(state)).to.equal(recovery_id);
    const check = happened('WorkflowTimerFired', { workflow_id: recovery_id, timer: 'check' });
    expect(given(...deployed, bare(), check).callInput('cluster.list-workers')).to.include({
      cluster_id: 'bud-1',
      namespace: 'bud-ocr-1',
    });
    const overdue = happened(overdueSince.type, { ...overdueSince.data, recovery: undefined });
    const next = given(...deployed, bare('ingress-unhealthy'), overdue);
    expect(next.state?.recovery).to.include({ cause: 'ingress-unhealthy', deadline: NEXT_DEADLINE_AT });
    // It knows too little of an endpoint that it never saw, or of one that is on no cluster.
    expect(given(bare()).names).to.equal(null);
    expect(given(...deployed.slice(0, 1), bare()).names).to.equal(null);
  });

  it('asks at the deadline to record that the endpoint is overdue, until the fact says so', () => {
    const { names, commandData, intents, state } = given(degraded(), timerFired('deadline'));
    expect(names).to.deep.equal(['abandon-calls', 'RecordEndpointRecoveryOverdue', 'timer deadline']);
    expect(commandData('RecordEndpointRecoveryOverdue')).to.deep.equal({ endpoint_id, deadline: DEADLINE_AT });
    expect(intents).to.deep.include({ kind: 'timer', timer: 'deadline', at: later(60) });
    expect(state?.recovery).to.include({ workflow_id });
    expect(given(degraded(), timerFired('deadline'), recovered).names).to.include('CompleteWorkflow');
  });

  it('fails where it is overdue, and begins again', () => {
    const { names, commandData, state } = given(degraded('ingress-unhealthy'), timerFired('deadline'), overdueSince);
    expect(names).to.deep.equal([
      ...['abandon-calls', 'FailWorkflow'],
      ...['StartWorkflow', 'timer deadline', 'StartWorkflowStep', 'timer check'],
    ]);
    expect(commandData('FailWorkflow')).to.deep.include({ workflow_id }).and.have.nested.property('reason.code');
    expect(commandData('StartWorkflow')).to.include({ workflow_id: other, deadline: NEXT_DEADLINE_AT });
    expect(state?.recovery).to.include({ workflow_id: other, cause: 'ingress-unhealthy' });
  });

  it('goes on with the next recovery only, whatever still comes of the one before', () => {
    const late = [timerFired('check'), timerFired('deadline'), workers('ready')];
    for (const event of late) expect(given(degraded(), overdueSince, event).names).to.equal(null);
    for (const event of late) expect(given(degraded(), recovered, event).names).to.equal(null);
  });

  it('takes what becomes degraded anew to have recovered in between, even if it did not see that', () => {
    const { names, commandData } = given(degraded(), degraded('replicas-missing', other));
    expect(names?.slice(0, 3)).to.deep.equal(['abandon-calls', 'CompleteWorkflow', 'StartWorkflow']);
    expect(commandData('CompleteWorkflow')).to.deep.equal({ workflow_id });
    expect(given(degraded(), degraded()).names).to.equal(null);
  });

  it('gives way to scaling and to deletion, and ends where the endpoint is gone', () => {
    const placement = { cluster_id: ids.cluster_id, bud_cluster_id: 'bud-1', namespace: 'bud-ocr-1' };
    const deletion = happened('EndpointDeletionRequested', {
      ...{ endpoint_id, project_id, name: 'ocr-prod', placement, deadline: DEADLINE_AT },
      recovery_id: workflow_id,
    });
    const scaling = fact('EndpointScalingRequested', { endpoint_id: endpointId });
    expect(given(degraded(), scaling).names).to.deep.equal(['abandon-calls', 'MarkWorkflowCancelled']);
    expect(given(...deployed, scaling).names).to.equal(null);
    const deleted = fact('EndpointDeleted', { endpoint_id: endpointId });
    expect(given(degraded(), deletion).names).to.deep.equal(['abandon-calls', 'MarkWorkflowCancelled']);
    expect(given(degraded(), deletion, deleted).names).to.deep.equal(['abandon-calls', 'end']);
    expect(given(...deployed, deleted).names).to.deep.equal(['abandon-calls', 'end']);
    expect(given(deletion).names).to.equal(null);
    expect(given(degraded(), refused('RecordEndpointReport', 'endpoint-not-found')).ended).to.equal(true);
  });

  it('follows the recovery that an event names, not the workflow that the event begins', () => {
    const asked = { ...degraded(), type: 'EndpointDegraded' } as never;
    expect(endpointRecovery.workflowOf?.(asked)).to.equal(workflow_id);
    const other = { type: 'EndpointDeletionRequested', data: { workflow_id, recovery_id: undefined } } as never;
    expect(endpointRecovery.workflowOf?.(other)).to.equal(null);
  });
});
