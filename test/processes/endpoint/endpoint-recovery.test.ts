import { expect } from 'chai';
import { endpointRecovery } from '../../../src/processes/endpoint/endpoint-recovery.ts';
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
const degraded = (cause = 'replicas-missing') =>
  happened('EndpointDegraded', {
    endpoint_id,
    ...seen,
    reason: { code: cause, message: '1 of 2 replicas are available.' },
    deadline: DEADLINE_AT,
    recovery: { ...recovery, cause },
  });
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

  it('ends well when the endpoint recovers', () => {
    const { names, ended } = given(degraded(), recovered);
    expect(names).to.deep.equal(['abandon-calls', 'CompleteWorkflow', 'end']);
    expect(ended).to.equal(true);
  });

  it('says at the deadline that the endpoint is overdue, and makes room for the next recovery', () => {
    const { names, commandData } = given(degraded(), timerFired('deadline'));
    expect(names).to.deep.equal(['abandon-calls', 'RecordEndpointRecoveryOverdue', 'FailWorkflow', 'end']);
    expect(commandData('RecordEndpointRecoveryOverdue')).to.deep.equal({ endpoint_id, workflow_id });
    expect(commandData('FailWorkflow')).to.have.nested.property('reason.code', 'recovery-overdue');
  });

  it('begins again where the one before was overdue', () => {
    const overdue = happened('EndpointRecoveryOverdue', {
      endpoint_id,
      workflow_id: ids.other_cluster_id,
      reason: { code: 'recovery-overdue', message: 'It did not recover in time.' },
      deadline: DEADLINE_AT,
      recovery: { ...recovery, cause: 'replicas-missing' },
    });
    expect(given(overdue).commandData('StartWorkflow')).to.include({ workflow_id });
  });

  it('gives way to scaling and to deletion, and ends where the endpoint is gone', () => {
    const placement = { cluster_id: ids.cluster_id, bud_cluster_id: 'bud-1', namespace: 'bud-ocr-1' };
    const deletion = happened('EndpointDeletionRequested', {
      ...{ endpoint_id, project_id, name: 'ocr-prod', placement, deadline: DEADLINE_AT },
      recovery_id: workflow_id,
    });
    expect(given(degraded(), deletion).names).to.deep.equal(['abandon-calls', 'MarkWorkflowCancelled', 'end']);
    expect(given(degraded(), refused('RecordEndpointReport', 'endpoint-not-found')).ended).to.equal(true);
  });

  it('follows the recovery that an event names, not the workflow that the event begins', () => {
    const asked = { ...degraded(), type: 'EndpointDegraded' } as never;
    expect(endpointRecovery.workflowOf?.(asked)).to.equal(workflow_id);
    const other = { type: 'EndpointDeletionRequested', data: { workflow_id, recovery_id: undefined } } as never;
    expect(endpointRecovery.workflowOf?.(other)).to.equal(null);
  });
});
