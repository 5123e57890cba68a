import { expect } from 'chai';
import { clusterReregistration } from '../../../src/processes/cluster/cluster-reregistration.ts';
import { sealedAs } from '../../commands/given.ts';
import {
  answered,
  callFailed,
  DEADLINE_AT,
  given as givenProcess,
  type Happened,
  happened,
  ids,
  ignored,
  refused,
  resulted,
  timerFired,
} from '../given.ts';

const { cluster_id, user_id, workflow_id } = ids;
const given = (...history: readonly Happened[]) => givenProcess(clusterReregistration, ...history);
const configuration = sealedAs('kind: Config');
const requested = happened('ClusterReregistrationRequested', {
  ...{ cluster_id, workflow_id, user_id, name: 'local', cluster_type: 'ON_PREM', ingress_url: '', configuration },
  ...{ attempt: 1, reason: { code: 'x', message: 'Forgotten.' }, deadline: DEADLINE_AT },
});
const answeredWith = answered('cluster.register', 'theirs');
const result = resulted('register_cluster', { id: 'bud-2', nodes: [] });
const done = happened('ClusterReregistered', { cluster_id, workflow_id, bud_cluster_id: 'bud-2', nodes: [] });

describe('registering a cluster again', () => {
  it('is a workflow that sends what the first registration sent', () => {
    const { names, commandData, callInput } = given(requested);
    expect(names).to.deep.equal(['StartWorkflow', 'timer deadline', 'call cluster.register']);
    expect(commandData('StartWorkflow')).to.include({ kind: 'cluster-reregistration', user_id });
    expect(callInput('cluster.register')).to.include({ configuration });
  });

  it('records the new id, and has the status of the nodes reported', () => {
    expect(given(requested, answeredWith, result).commandData('RecordClusterReregistered')).to.deep.include({
      ...{ cluster_id, workflow_id, bud_cluster_id: 'bud-2' },
    });
    const { names, ended } = given(requested, answeredWith, result, done);
    expect(names).to.deep.equal(['CompleteWorkflow', 'call cluster.update-node-status', 'end']);
    expect(ended).to.equal(true);
  });

  it('fails, so that it is tried again later, and takes back what was made', () => {
    for (const failure of [
      callFailed('cluster.register'),
      timerFired('deadline'),
      resulted('register_cluster', null),
    ]) {
      const { names } = given(requested, failure);
      expect(names).to.deep.equal(['abandon-calls', 'FailClusterReregistration', 'FailWorkflow']);
    }
    const late = given(requested, answeredWith, timerFired('deadline'));
    expect(late.callInput('cluster.cancel')).to.deep.equal({ workflow_id: 'theirs' });
    const superseded = given(requested, result, refused('RecordClusterReregistered', 'reregistration-superseded'));
    expect(superseded.callInput('cluster.delete')).to.include({ cluster_id: 'bud-2' });
  });

  it('deletes what is registered too late, once', () => {
    const over = [requested, timerFired('deadline')];
    expect(given(...over, answeredWith).callInput('cluster.cancel')).to.deep.equal({ workflow_id: 'theirs' });
    const late = ignored('register_cluster', 'results', { id: 'bud-3', nodes: [] });
    expect(given(...over, late).callInput('cluster.delete')).to.include({ cluster_id: 'bud-3' });
    expect(given(...over, late, late).names).to.equal(null);
  });
});
