import { z } from 'zod';
import { failClusterDeletion } from '../../commands/cluster/internal/fail-cluster-deletion.ts';
import { recordClusterDeleted } from '../../commands/cluster/internal/record-cluster-deleted.ts';
import type { Recorded } from '../../events/catalog.ts';
import { ClusterId, WorkflowId } from '../../events/ids.ts';
import { type Abort, abortOf } from '../abort.ts';
import { abandonCalls, ask, call, end, type Process, type Reaction } from '../process.ts';
import { begin, giveUpWorkflow, reportTo, requesterOf, succeed } from '../workflow-intents.ts';

const State = z.object({
  phase: z.enum(['deleting', 'recording']),
  workflow_id: WorkflowId,
  cluster_id: ClusterId,
});
type State = z.output<typeof State>;
type Requested = Extract<Recorded, { type: 'ClusterDeletionRequested' }>;

const STEP = 'delete_namespace';

/**
 *     (requested) -> deleting -> recording -> (deleted)
 *          |            |            '--refused--.
 *          |            '--failed, late, cancelled--> (deletion failed)
 *          '--never known to the cluster service--> recording
 */
export const clusterDeletion: Process<State> = {
  name: 'cluster-deletion',
  state: State,
  react: (state, event) => {
    if (!state) return event.type === 'ClusterDeletionRequested' ? start(event) : null;
    return state.phase === 'deleting' ? reactDeleting(state, event) : reactRecording(state, event);
  },
};

const start = (event: Requested): Reaction<State> => {
  const { workflow_id, cluster_id, name, cluster_type, bud_cluster_id, deadline } = event.data;
  const user_id = requesterOf(event);
  const target = { area: 'cluster', id: cluster_id, name } as const;
  const steps = { [STEP]: 'Remove the installed components from the cluster' };
  const kind = 'cluster-deletion';
  const begun = begin({ workflow_id, user_id, kind, target, project_id: null, steps, deadline });
  if (bud_cluster_id === null) {
    return {
      state: { phase: 'recording', workflow_id, cluster_id },
      intents: [...begun, ask(recordClusterDeleted, { cluster_id })],
    };
  }
  const request = { cluster_id: bud_cluster_id, cluster_type, ...reportTo(workflow_id, user_id) };
  return {
    state: { phase: 'deleting', workflow_id, cluster_id },
    intents: [...begun, call('cluster.delete', request, { give_up_at: deadline })],
  };
};

const isDeleted = (event: Recorded): boolean =>
  (event.type === 'WorkflowResultReceived' && event.data.result_type === 'delete_cluster') ||
  (event.type === 'WorkflowStepSucceeded' && event.data.step === STEP);

const reactDeleting = (state: State, event: Recorded): Reaction<State> | null => {
  const { cluster_id } = state;
  if (isDeleted(event)) {
    return { state: { ...state, phase: 'recording' }, intents: [ask(recordClusterDeleted, { cluster_id })] };
  }
  const abort = abortOf(event);
  return abort ? giveUp(state, abort) : null;
};

const giveUp = (state: State, abort: Abort): Reaction<State> => {
  const { cluster_id, workflow_id } = state;
  const fail = ask(failClusterDeletion, { cluster_id, reason: abort.reason });
  return { state, intents: [abandonCalls(), fail, giveUpWorkflow(workflow_id, abort), end()] };
};

const reactRecording = (state: State, event: Recorded): Reaction<State> | null => {
  if (event.type === 'ClusterDeleted') return { state, intents: [succeed(state.workflow_id), end()] };
  if (event.type !== 'WorkflowCommandRefused' || event.data.command !== recordClusterDeleted.type) return null;
  return giveUp(state, { reason: event.data.reason, ending: 'failed' });
};
