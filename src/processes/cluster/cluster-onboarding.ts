import { z } from 'zod';
import { toClusterNodes } from '../../commands/cluster/cluster-report.ts';
import { failClusterRegistration } from '../../commands/cluster/internal/fail-cluster-registration.ts';
import { recordClusterCleanupPending } from '../../commands/cluster/internal/record-cluster-cleanup-pending.ts';
import { recordClusterRegistered } from '../../commands/cluster/internal/record-cluster-registered.ts';
import { completeWorkflowStep } from '../../commands/workflow/internal/complete-workflow-step.ts';
import { retryWorkflowStep } from '../../commands/workflow/internal/retry-workflow-step.ts';
import { parseResult } from '../../contracts/notification.ts';
import type { Recorded } from '../../events/catalog.ts';
import { ClusterType } from '../../events/cluster-events.ts';
import { ClusterId, UserId, WorkflowId } from '../../events/ids.ts';
import { Reason } from '../../events/values.ts';
import { type Abort, abortOf, failed, SUPERSEDED } from '../abort.ts';
import { abandonCalls, after, ask, call, changeOf, end, type Process, type Reaction } from '../process.ts';
import {
  beginRemoval,
  cleanupPending,
  endRemoval,
  followRemoval,
  isRefused,
  LATE_SECONDS,
  Removal,
  type RemovalKind,
} from '../removal.ts';
import { begin, beginUndo, giveUpWorkflow, reportTo, requesterOf, succeed } from '../workflow-intents.ts';
import { clusterRemoval } from './cluster-deletion.ts';

const known = { workflow_id: WorkflowId, user_id: UserId, cluster_id: ClusterId, cluster_type: ClusterType };
const State = z.discriminatedUnion('phase', [
  z.object({ phase: z.literal('registering'), ...known, service_workflow_id: z.string().nullable() }),
  z.object({ phase: z.literal('recording'), ...known, bud_cluster_id: z.string() }),
  /** What the service has registered is being removed. */
  z.object({
    phase: z.literal('undoing'),
    ...known,
    abort: z.object({ reason: Reason, ending: z.enum(['failed', 'cancelled']) }),
    removal: Removal,
  }),
  /** The onboarding was given up. A registration that succeeds later is deleted. */
  z.object({ phase: z.literal('over'), ...known, bud_cluster_id: z.string().nullable() }),
]);
type State = z.output<typeof State>;
type In<Phase extends State['phase']> = Extract<State, { phase: Phase }>;
type Requested = Extract<Recorded, { type: 'ClusterRegistrationRequested' }>;

const STEPS = {
  determine_cluster_platform: 'Determine the cluster platform',
  check_duplicate_config: 'Check that the cluster is not registered yet',
  verify_cluster_connection: 'Connect to the cluster',
  configure_cluster: 'Configure the cluster',
  fetch_cluster_info: 'Read the nodes of the cluster',
};
const UNREGISTER = 'undo_registration';
const UNDO_STEPS = { [UNREGISTER]: 'Remove the cluster from the cluster service' };
const FOLLOW_UP_SECONDS = 600;
/** The first attempt. */
const UNDO_SECONDS = 180;

/**
 *     (requested) -> registering -> recording -> (available)
 *                        |             '--refused--------.
 *                        '--failed, late, cancelled--------'--> undoing --nothing is left--> over: what the service still
 *                                                                                            registers later is deleted
 */
export const clusterOnboarding: Process<State> = {
  name: 'cluster-onboarding',
  state: State,
  workflowOf: changeOf,
  react: (state, event) => {
    if (!state) return event.type === 'ClusterRegistrationRequested' ? start(event) : null;
    switch (state.phase) {
      case 'registering':
        return reactRegistering(state, event);
      case 'recording':
        return reactRecording(state, event);
      case 'undoing':
        return reactUndoing(state, event);
      case 'over':
        return reactOver(state, event);
    }
  },
};

const start = (event: Requested): Reaction<State> => {
  const { workflow_id, cluster_id, name, cluster_type, ingress_url, configuration, deadline } = event.data;
  const user_id = requesterOf(event);
  const target = { area: 'cluster', id: cluster_id, name } as const;
  const request = {
    cluster_create_request: {
      enable_master_node: true,
      name,
      ingress_url,
      cluster_type,
      ...reportTo(workflow_id, user_id),
    },
    // The configuration is sealed until the dispatcher makes the call.
    configuration,
  };
  return {
    state: { phase: 'registering', workflow_id, user_id, cluster_id, cluster_type, service_workflow_id: null },
    intents: [
      ...begin({
        workflow_id,
        user_id,
        kind: 'cluster-onboarding',
        target,
        project_id: null,
        steps: STEPS,
        deadline,
      }),
      call('cluster.register', request, { give_up_at: deadline }),
    ],
  };
};

/** The cluster that a registration's result reports, whether the result was received in time or ignored as late. */
const registeredIn = (event: Recorded): string | null => {
  const isResult =
    (event.type === 'WorkflowResultReceived' && event.data.result_type === 'register_cluster') ||
    (event.type === 'WorkflowMessageIgnored' && event.data.message_type === 'register_cluster');
  return isResult ? (parseResult('register_cluster', event.data.result)?.id ?? null) : null;
};

const removalOf = ({ workflow_id, user_id, cluster_id, cluster_type }: State): RemovalKind => ({
  // A service that is alive refuses to tell the health of a cluster that it does not know.
  ...clusterRemoval(workflow_id, { user_id, cluster_type, probe_id: cluster_id }),
  made_by: 'cluster.register',
  message_type: 'register_cluster',
  thingIn: registeredIn,
});

/** Nothing is left. No `end`, because a success may still be reported and must be undone. */
const finish = (state: State, abort: Abort, bud_cluster_id: string | null): Reaction<State> => {
  const { workflow_id, user_id, cluster_id, cluster_type } = state;
  const message = 'The cluster service confirms that nothing is left';
  return {
    state: { phase: 'over', workflow_id, user_id, cluster_id, cluster_type, bud_cluster_id },
    intents: [
      abandonCalls(),
      ask(completeWorkflowStep, { workflow_id, step: UNREGISTER, message }),
      ask(failClusterRegistration, { cluster_id, workflow_id, reason: abort.reason }),
      giveUpWorkflow(workflow_id, abort),
    ],
  };
};

/** Removes what the service has registered or is registering, before the workflow ends. */
const undo = (
  state: In<'registering' | 'recording'>,
  event: Recorded,
  { abort, bud_cluster_id }: { abort: Abort; bud_cluster_id: string | null },
): Reaction<State> => {
  const { workflow_id, user_id, cluster_id, cluster_type } = state;
  const isLost = event.type === 'WorkflowCallFailed' && event.data.call === 'cluster.register';
  const deadline = after(event.at, UNDO_SECONDS);
  const begun = beginUndo(workflow_id, { reason: abort.reason, steps: UNDO_STEPS, deadline });
  if (isLost && isRefused(event)) {
    const { state: over, intents } = finish(state, abort, bud_cluster_id);
    return { state: over, intents: [...begun, ...intents] };
  }
  const { removal, intents } = beginRemoval(
    removalOf(state),
    {
      thing: bud_cluster_id,
      service_workflow_id: state.phase === 'registering' ? state.service_workflow_id : null,
      answered: isLost ? 'lost' : undefined,
    },
    { at: event.at, until: deadline },
  );
  const reason = cleanupPending(abort.reason, 'What the cluster service made of it is being removed.');
  return {
    state: { phase: 'undoing', workflow_id, user_id, cluster_id, cluster_type, abort, removal },
    intents: [
      abandonCalls(),
      ...begun,
      ask(recordClusterCleanupPending, { cluster_id, workflow_id, reason, deadline }),
      ...intents,
    ],
  };
};

const reactUndoing = (state: In<'undoing'>, event: Recorded): Reaction<State> | null => {
  const { workflow_id, cluster_id, abort, removal: before } = state;
  const step = followRemoval(removalOf(state), before, event);
  if (step === null) return null;
  if (step === 'gone') {
    const { state: over, intents } = finish(state, abort, before.thing);
    return { state: over, intents: [...endRemoval(), ...intents] };
  }
  const { removal, intents, again: deadline } = step;
  if (deadline === null) return { state: { ...state, removal }, intents };
  const reason = cleanupPending(abort.reason, 'The cluster service has not confirmed yet that nothing is left.');
  return {
    state: { ...state, removal },
    intents: [
      abandonCalls(),
      ask(recordClusterCleanupPending, { cluster_id, workflow_id, reason, deadline }),
      ask(retryWorkflowStep, { workflow_id, step: UNREGISTER, reason, deadline }),
      ...intents,
    ],
  };
};

const reactRegistering = (state: In<'registering'>, event: Recorded): Reaction<State> | null => {
  if (event.type === 'WorkflowCallAnswered' && event.data.call === 'cluster.register') {
    return { state: { ...state, service_workflow_id: event.data.service_workflow_id }, intents: [] };
  }
  const { service_workflow_id: _theirs, ...rest } = state;
  if (event.type === 'WorkflowResultReceived' && event.data.result_type === 'register_cluster') {
    const result = parseResult('register_cluster', event.data.result);
    if (!result) return undo(state, event, { abort: UNREADABLE, bud_cluster_id: null });
    const { cluster_id } = state;
    const nodes = toClusterNodes(result.nodes);
    return {
      state: { ...rest, phase: 'recording', bud_cluster_id: result.id },
      intents: [ask(recordClusterRegistered, { cluster_id, bud_cluster_id: result.id, nodes })],
    };
  }
  const abort = abortOf(event);
  return abort ? undo(state, event, { abort, bud_cluster_id: null }) : null;
};

const UNREADABLE = failed('registration-failed', 'The cluster service could not register the cluster.');

const reactRecording = (state: In<'recording'>, event: Recorded): Reaction<State> | null => {
  const { workflow_id, bud_cluster_id } = state;
  if (event.type === 'ClusterRegistered') {
    const give_up_at = after(event.at, FOLLOW_UP_SECONDS);
    const watch = call('cluster.update-node-status', { cluster_id: bud_cluster_id }, { give_up_at });
    return { state, intents: [succeed(workflow_id), watch, end()] };
  }
  if (event.type === 'ClusterDeletionRequested') return undo(state, event, { abort: SUPERSEDED, bud_cluster_id });
  if (event.type !== 'WorkflowCommandRefused' || event.data.command !== recordClusterRegistered.type) return null;
  return undo(state, event, { abort: { reason: event.data.reason, ending: 'failed' }, bud_cluster_id });
};

/** Undoes a success that is reported after the workflow has ended. */
const reactOver = (state: In<'over'>, event: Recorded): Reaction<State> | null => {
  const bud_cluster_id = registeredIn(event);
  if (bud_cluster_id === null || bud_cluster_id === state.bud_cluster_id) return null;
  const remove = removalOf(state).remove(bud_cluster_id, after(event.at, LATE_SECONDS));
  return { state: { ...state, bud_cluster_id }, intents: [remove] };
};
