import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { ClusterFact } from '../../../events/catalog.ts';
import { ClusterId, WorkflowId } from '../../../events/ids.ts';
import { ClusterNode, Reason } from '../../../events/values.ts';
import { deadlineAfter } from '../../deadlines.ts';
import { clusterCommand, isRegistered } from '../cluster-state.ts';
import { endOfRecovery, recoveryOf } from '../recovery.ts';

const UNREACHABLE: Reason = { code: 'cluster-unreachable', message: 'The cluster service cannot reach the cluster.' };

export const recordClusterStatus = clusterCommand({
  type: 'RecordClusterStatus',
  summary: 'Record a status report of the cluster service',
  permission: 'system',
  data: z.strictObject({
    cluster_id: ClusterId,
    available: z.boolean(),
    nodes: z.array(ClusterNode).optional(),
    reason: Reason.optional(),
  }),
  target: ({ cluster_id }) => cluster_id,
  decide: ({ cluster_id, available, nodes: reported, reason = UNREACHABLE }, state, { make, now, deadlines }) => {
    // A report does not affect a registration or deletion in progress.
    if (!isRegistered(state)) return [];
    const nodes = reported ?? [...state.nodes];
    if (available && state.status === 'unavailable') {
      return { type: 'ClusterBecameAvailable', data: { cluster_id, nodes, ...endOfRecovery(state) } };
    }
    const facts: ClusterFact[] = [];
    if (!isDeepStrictEqual(nodes, state.nodes))
      facts.push({ type: 'ClusterNodesChanged', data: { cluster_id, nodes } });
    if (!available && state.status === 'available') {
      const deadline = deadlineAfter(now, deadlines.degraded);
      const recovery = recoveryOf(state, WorkflowId.parse(make('recovery')));
      facts.push({ type: 'ClusterBecameUnavailable', data: { cluster_id, reason, deadline, ...recovery } });
    }
    return facts;
  },
});
