import { expect } from 'chai';
import { ClusterId, commandIdOf, deriveId } from '../../../src/events/ids.ts';
import { clusterRecovery } from '../../../src/processes/cluster/cluster-recovery.ts';
import { fact } from '../../commands/fixture.ts';
import {
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

const given = (...history: readonly Happened[]) => givenProcess(clusterRecovery, ...history);
const { cluster_id, workflow_id, user_id } = ids;

const clusterId = ClusterId.parse(cluster_id);
const recovery = { workflow_id, user_id, name: 'local', bud_cluster_id: 'bud-1' };
const reason = { code: 'cluster-unreachable', message: 'The cluster service cannot reach the cluster.' };
const unavailable = happened('ClusterBecameUnavailable', { cluster_id, reason, deadline: DEADLINE_AT, recovery });
const health = (status?: string) => answered('cluster.health', null, { status });
const nodes = answered('cluster.nodes', null, {
  nodes: [{ name: 'n1', status: 'Ready', capacity: { cpu_millis: 4000, memory_mib: 8192 } }],
});

describe('cluster recovery', () => {
  it('begins, as a workflow with a deadline, when a cluster becomes unavailable', () => {
    const { names, commandData } = given(unavailable);
    expect(names).to.deep.equal(['StartWorkflow', 'timer deadline', 'StartWorkflowStep', 'timer check']);
    expect(commandData('StartWorkflow')).to.include({ kind: 'cluster-recovery', user_id, deadline: DEADLINE_AT });
  });

  it('requests the health, then the nodes, and records that the cluster is available', () => {
    const asked = given(unavailable, timerFired('check'));
    expect(asked.names).to.deep.equal(['call cluster.health', 'timer check']);
    expect(asked.callInput('cluster.health')).to.deep.equal({ cluster_id: 'bud-1' });
    expect(given(unavailable, timerFired('check'), health('Healthy')).names).to.deep.equal(['call cluster.nodes']);
    expect(
      given(unavailable, timerFired('check'), health('ok'), nodes).commandData('RecordClusterStatus'),
    ).to.deep.equal({
      cluster_id,
      available: true,
      nodes: [{ name: 'n1', status: 'Ready', resources: { cpu_millis: 4000, memory_mib: 8192 }, devices: [] }],
    });
  });

  for (const [what, answer] of Object.entries({
    'it is ill': health('unreachable'),
    'it does not say how it is': health(),
    'the call fails': callFailed('cluster.health'),
    'its nodes cannot be read': answered('cluster.nodes', null, 'nonsense'),
    'the status cannot be recorded': refused('RecordClusterStatus', 'concurrent-change'),
  })) {
    it(`waits for the next check when ${what}`, () => {
      expect(given(unavailable, timerFired('check'), answer).names).to.equal(null);
    });
  }

  it('ends well when the cluster is back, and gives way to its deletion', () => {
    const back = happened('ClusterBecameAvailable', { cluster_id, nodes: [], recovery_id: workflow_id });
    expect(given(unavailable, back).names).to.deep.equal(['abandon-calls', 'CompleteWorkflow']);
    const deletion = happened('ClusterDeletionRequested', {
      ...{ cluster_id, name: 'local', cluster_type: 'ON_PREM', bud_cluster_id: 'bud-1', deadline: DEADLINE_AT },
      recovery_id: workflow_id,
    });
    expect(given(unavailable, deletion).names).to.deep.equal(['abandon-calls', 'MarkWorkflowCancelled']);
    const deleted = happened('ClusterDeleted', { cluster_id, name: 'local' });
    expect(given(unavailable, deletion, deleted).ended).to.equal(true);
    expect(given(unavailable, refused('RecordClusterStatus', 'cluster-not-found')).ended).to.equal(true);
  });

  it('asks at the deadline to record that the cluster is overdue, and begins again with the fact', () => {
    const { names, commandData } = given(unavailable, timerFired('deadline'));
    expect(names).to.deep.equal(['abandon-calls', 'RecordClusterRecoveryOverdue', 'timer deadline']);
    expect(commandData('RecordClusterRecoveryOverdue')).to.deep.equal({ cluster_id, deadline: DEADLINE_AT });
    const next = { ...recovery, workflow_id: ids.other_cluster_id };
    const overdue = happened('ClusterRecoveryOverdue', {
      ...{ cluster_id, workflow_id, deadline: DEADLINE_AT, recovery: next },
      reason: { code: 'recovery-overdue', message: 'Not back in time.' },
    });
    const begun = given(unavailable, timerFired('deadline'), overdue);
    expect(begun.commandData('FailWorkflow')).to.deep.include({ workflow_id });
    expect(begun.commandData('StartWorkflow')).to.include({ workflow_id: next.workflow_id });
  });

  it('needs nothing but what the facts of the cluster say of itself', () => {
    const registered = [
      fact('ClusterRegistrationRequested', { cluster_id: clusterId }),
      fact('ClusterRegistered', { cluster_id: clusterId, bud_cluster_id: 'bud-1' }),
      fact('ClusterRenamed', { cluster_id: clusterId, name: 'renamed' }),
    ];
    const bare = happened(unavailable.type, { ...unavailable.data, recovery: undefined });
    const recovery_id = deriveId(commandIdOf('test 3'), 'recovery');
    expect(given(...registered, bare).commandData('StartWorkflow')).to.deep.include({
      ...{ workflow_id: recovery_id, user_id, project_id: null, kind: 'cluster-recovery', deadline: DEADLINE_AT },
      target: { area: 'cluster', id: cluster_id, name: 'renamed' },
    });
    const check = happened('WorkflowTimerFired', { workflow_id: recovery_id, timer: 'check' });
    expect(given(...registered, bare, check).callInput('cluster.health')).to.deep.equal({ cluster_id: 'bud-1' });
    expect(given(...registered, fact('ClusterDeleted', { cluster_id: clusterId })).ended).to.equal(true);
    expect(given(bare).names).to.equal(null);
  });
});
