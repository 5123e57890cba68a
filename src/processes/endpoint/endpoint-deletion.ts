import { z } from 'zod';
import { releaseCapacity } from '../../commands/cluster/internal/release-capacity.ts';
import { failEndpointDeletion } from '../../commands/endpoint/internal/fail-endpoint-deletion.ts';
import { recordEndpointDeleted } from '../../commands/endpoint/internal/record-endpoint-deleted.ts';
import type { Recorded } from '../../events/catalog.ts';
import { ClusterId, EndpointId, WorkflowId } from '../../events/ids.ts';
import { type Abort, abortOf } from '../abort.ts';
import { abandonCalls, ask, call, end, type Intent, type Process, type Reaction } from '../process.ts';
import { begin, giveUpWorkflow, reportTo, requesterOf, succeed } from '../workflow-intents.ts';

const State = z.object({
  phase: z.enum(['deleting', 'recording']),
  workflow_id: WorkflowId,
  endpoint_id: EndpointId,
  /** The cluster on which the endpoint may hold capacity. */
  cluster_id: ClusterId.nullable(),
});
type State = z.output<typeof State>;
type Requested = Extract<Recorded, { type: 'EndpointDeletionRequested' }>;

const STEP = 'delete_namespace';

/**
 *     (requested) -> deleting -> recording -> (deleted)
 *          |            |            '--refused--> (workflow failed)
 *          |            '--failed, late, cancelled--> (deletion failed: name and capacity are still held)
 *          '--nothing on a cluster--> recording
 */
export const endpointDeletion: Process<State> = {
  name: 'endpoint-deletion',
  state: State,
  react: (state, event) => {
    if (!state) return event.type === 'EndpointDeletionRequested' ? start(event) : null;
    return state.phase === 'deleting' ? reactDeleting(state, event) : reactRecording(state, event);
  },
};

const start = (event: Requested): Reaction<State> => {
  const { workflow_id, endpoint_id, project_id, name, placement, deadline } = event.data;
  const user_id = requesterOf(event);
  const target = { area: 'endpoint', id: endpoint_id, name } as const;
  const steps = { [STEP]: 'Remove the endpoint from the cluster' };
  const begun = begin({ workflow_id, user_id, kind: 'endpoint-deletion', target, project_id, steps, deadline });
  const state: State = { phase: 'deleting', workflow_id, endpoint_id, cluster_id: placement?.cluster_id ?? null };
  if (!placement || placement.namespace === null) return record(state, begun);
  const request = {
    cluster_id: placement.bud_cluster_id,
    namespace: placement.namespace,
    ...reportTo(workflow_id, user_id),
  };
  return { state, intents: [...begun, call('cluster.delete-deployment', request, { give_up_at: deadline })] };
};

const record = (state: State, before: Intent[]): Reaction<State> => {
  const { endpoint_id, workflow_id, cluster_id } = state;
  const release = cluster_id === null ? [] : [ask(releaseCapacity, { cluster_id, endpoint_id, workflow_id })];
  return {
    state: { ...state, phase: 'recording' },
    intents: [...before, ...release, ask(recordEndpointDeleted, { endpoint_id, workflow_id })],
  };
};

const isDeleted = (event: Recorded): boolean =>
  (event.type === 'WorkflowResultReceived' && event.data.result_type === 'delete_deployment') ||
  (event.type === 'WorkflowStepSucceeded' && event.data.step === STEP);

const reactDeleting = (state: State, event: Recorded): Reaction<State> | null => {
  if (isDeleted(event)) return record(state, []);
  const abort = abortOf(event);
  return abort ? giveUp(state, abort) : null;
};

const giveUp = (state: State, abort: Abort): Reaction<State> => {
  const { endpoint_id, workflow_id } = state;
  const fail = ask(failEndpointDeletion, { endpoint_id, workflow_id, reason: abort.reason });
  return { state, intents: [abandonCalls(), fail, giveUpWorkflow(workflow_id, abort), end()] };
};

const reactRecording = (state: State, event: Recorded): Reaction<State> | null => {
  if (event.type === 'EndpointDeleted') return { state, intents: [succeed(state.workflow_id), end()] };
  if (event.type !== 'WorkflowCommandRefused' || event.data.command !== recordEndpointDeleted.type) return null;
  return giveUp(state, { reason: event.data.reason, ending: 'failed' });
};
