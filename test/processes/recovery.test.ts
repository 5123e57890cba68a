import { expect } from 'chai';
import { clusterRecovery } from '../../src/processes/cluster/cluster-recovery.ts';
import { endpointRecovery } from '../../src/processes/endpoint/endpoint-recovery.ts';
import type { Process } from '../../src/processes/process.ts';
import { DEADLINE_AT, goOnFrom, type Happened, happened, ids, timerFired } from './given.ts';

const { workflow_id, endpoint_id, cluster_id } = ids;
const observed = {
  replicas: { total: 2, available: 2, failed: 0, pending: 0 },
  ingress_healthy: true,
  workers: [],
};

interface UnderWay {
  process: Process;
  /** As the database keeps it, written out: a state of this shape outlives the code that stored it. */
  stored: unknown;
  recovered: Happened;
  overdue: string;
}

const underWay: Record<string, UnderWay> = {
  endpoint: {
    process: endpointRecovery,
    stored: {
      workflow_id,
      endpoint_id,
      bud_cluster_id: 'bud-1',
      namespace: 'bud-ocr-1',
      cause: 'replicas-missing',
      deadline: DEADLINE_AT,
    },
    recovered: happened('EndpointRecovered', { endpoint_id, ...observed, recovery_id: workflow_id }),
    overdue: 'RecordEndpointRecoveryOverdue',
  },
  cluster: {
    process: clusterRecovery,
    stored: { workflow_id, cluster_id, bud_cluster_id: 'bud-1' },
    recovered: happened('ClusterBecameAvailable', { cluster_id, nodes: [], recovery_id: workflow_id }),
    overdue: 'RecordClusterRecoveryOverdue',
  },
};

for (const [what, { process: manager, stored, recovered, overdue }] of Object.entries(underWay)) {
  describe(`${what} recovery that was under way before an upgrade`, () => {
    it('checks on, and completes its workflow at the recovery', () => {
      expect(goOnFrom(manager, stored, timerFired('check')).names).to.include('timer check');
      const { names, ended, commandData } = goOnFrom(manager, stored, timerFired('check'), recovered);
      expect(names).to.deep.equal(['abandon-calls', 'CompleteWorkflow', 'end']);
      expect(commandData('CompleteWorkflow')).to.deep.equal({ workflow_id });
      expect(ended).to.equal(true);
    });

    it('fails its workflow at the deadline, and records it as overdue', () => {
      const { names } = goOnFrom(manager, stored, timerFired('deadline'));
      expect(names).to.deep.equal(['abandon-calls', overdue, 'FailWorkflow', 'end']);
    });
  });
}
