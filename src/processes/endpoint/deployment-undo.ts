import { releaseCapacity } from '../../commands/cluster/internal/release-capacity.ts';
import { cancelEndpoint } from '../../commands/endpoint/internal/cancel-endpoint.ts';
import { failEndpoint } from '../../commands/endpoint/internal/fail-endpoint.ts';
import { recordEndpointCleanupPending } from '../../commands/endpoint/internal/record-endpoint-cleanup-pending.ts';
import { completeWorkflowStep } from '../../commands/workflow/internal/complete-workflow-step.ts';
import { retryWorkflowStep } from '../../commands/workflow/internal/retry-workflow-step.ts';
import { parseResult } from '../../contracts/notification.ts';
import type { Recorded } from '../../events/catalog.ts';
import type { Abort } from '../abort.ts';
import { abandonCalls, after, ask, call, end, type Intent, type Reaction } from '../process.ts';
import {
  beginRemoval,
  cleanupPending,
  endRemoval,
  followRemoval,
  isRefused,
  LATE_SECONDS,
  type RemovalKind,
  saysDeleted,
} from '../removal.ts';
import { beginUndo, giveUpWorkflow, reportTo } from '../workflow-intents.ts';
import type { DeploymentState, EndpointSpec, In, Option } from './deployment-state.ts';

type Reacted = Reaction<DeploymentState>;

/** The first attempt. */
const UNDO_SECONDS = 180;

const REMOVE = 'undo_deployment';
const RELEASE = 'undo_reservation';
/** In the reverse order of what they undo. */
const RELEASE_ONLY = { [RELEASE]: 'Release the reserved capacity' };
const UNDO_STEPS = { [REMOVE]: 'Remove the deployment from the cluster', ...RELEASE_ONLY };

const askDelete = (
  { workflow_id, user_id }: EndpointSpec,
  { bud_cluster_id, namespace, give_up_at }: { bud_cluster_id: string; namespace: string; give_up_at: string },
): Intent & { kind: 'call' } =>
  call(
    'cluster.delete-deployment',
    { cluster_id: bud_cluster_id, namespace, ...reportTo(workflow_id, user_id) },
    { give_up_at },
  );

/** The namespace that a deployment's result reports, whether the result was received in time or ignored as late. */
const namespaceIn = (event: Recorded): string | null => {
  const isResult =
    (event.type === 'WorkflowResultReceived' && event.data.result_type === 'deploy_model') ||
    (event.type === 'WorkflowMessageIgnored' && event.data.message_type === 'deploy_model');
  return isResult ? (parseResult('deploy_model', event.data.result)?.namespace ?? null) : null;
};

const removalOf = ({ wanted, option }: { wanted: EndpointSpec; option: Option }): RemovalKind => {
  const { bud_cluster_id } = option;
  return {
    made_by: 'cluster.deploy',
    calls: { remove: 'cluster.delete-deployment', cancel: 'cluster.cancel-deployment', probe: 'cluster.health' },
    message_type: 'deploy_model',
    remove: (namespace, give_up_at) => askDelete(wanted, { bud_cluster_id, namespace, give_up_at }),
    cancel: (workflow_id, give_up_at) => call('cluster.cancel-deployment', { workflow_id }, { give_up_at }),
    probe: (give_up_at) => call('cluster.health', { cluster_id: bud_cluster_id }, { give_up_at }),
    thingIn: namespaceIn,
    isRemoved: (event) => saysDeleted(event, 'delete_deployment', 'delete_namespace'),
  };
};

/** Releases the capacity and the name, and ends the workflow. */
const closing = ({ wanted, option }: { wanted: EndpointSpec; option: Option | null }, abort: Abort): Intent[] => {
  const { workflow_id, endpoint_id } = wanted;
  const { reason } = abort;
  return [
    ...(option
      ? [
          ask(releaseCapacity, { cluster_id: option.cluster_id, endpoint_id, workflow_id }),
          ask(completeWorkflowStep, { workflow_id, step: RELEASE, message: `Released on ${option.name}` }),
        ]
      : []),
    abort.ending === 'failed'
      ? ask(failEndpoint, { endpoint_id, workflow_id, reason })
      : ask(cancelEndpoint, { endpoint_id, workflow_id, reason }),
    giveUpWorkflow(workflow_id, abort),
  ];
};

/** Gives up before the cluster was called: only capacity and name must be released. */
export const giveUpBeforeDeploying = (
  state: In<'simulating' | 'looking-up' | 'reserving' | 'placing'>,
  abort: Abort,
): Reacted => {
  const { wanted } = state;
  const option = 'option' in state ? state.option : null;
  const { workflow_id, deadline } = wanted;
  const undo = option ? beginUndo(workflow_id, { reason: abort.reason, steps: RELEASE_ONLY, deadline }) : [];
  return { state, intents: [abandonCalls(), ...undo, ...closing({ wanted, option }, abort), end()] };
};

/** Nothing is left. No `end`, because a success may still be reported and must be undone. */
const finish = (
  { wanted, option, namespace }: { wanted: EndpointSpec; option: Option; namespace: string | null },
  abort: Abort,
): Reacted => {
  const { workflow_id } = wanted;
  const message = 'The cluster confirms that nothing is left';
  return {
    state: { phase: 'over', wanted, bud_cluster_id: option.bud_cluster_id, namespace },
    intents: [
      abandonCalls(),
      ask(completeWorkflowStep, { workflow_id, step: REMOVE, message }),
      ...closing({ wanted, option }, abort),
    ],
  };
};

/** Removes what the cluster has made or is making, before the workflow ends. */
export const undo = (
  state: In<'deploying' | 'recording'>,
  event: Recorded,
  { abort, namespace }: { abort: Abort; namespace: string | null },
): Reacted => {
  const { wanted, option } = state;
  const { endpoint_id, workflow_id } = wanted;
  const isLost = event.type === 'WorkflowCallFailed' && event.data.call === 'cluster.deploy';
  const deadline = after(event.at, UNDO_SECONDS);
  const begun = beginUndo(workflow_id, { reason: abort.reason, steps: UNDO_STEPS, deadline });
  if (isLost && isRefused(event)) {
    const { state: over, intents } = finish({ wanted, option, namespace }, abort);
    return { state: over, intents: [...begun, ...intents] };
  }
  const { removal, intents } = beginRemoval(
    removalOf(state),
    {
      thing: namespace,
      service_workflow_id: state.phase === 'deploying' ? state.service_workflow_id : null,
      answered: isLost ? 'lost' : undefined,
    },
    { at: event.at, until: deadline },
  );
  const reason = cleanupPending(abort.reason, 'What the cluster made of it is being removed.');
  return {
    state: { phase: 'undoing', wanted, option, trouble: abort, removal },
    intents: [
      abandonCalls(),
      ...begun,
      ask(recordEndpointCleanupPending, { endpoint_id, workflow_id, reason, deadline }),
      ...intents,
    ],
  };
};

const leftOf = (namespace: string | null): string =>
  namespace === null
    ? 'The cluster has not confirmed yet that it stopped the deployment.'
    : `The cluster has not confirmed yet that it removed ${namespace}.`;

/** Waits until the cluster confirms that nothing is left, then ends the workflow. */
export const reactUndoing = (state: In<'undoing'>, event: Recorded): Reacted | null => {
  const { wanted, option, trouble: abort, removal: before } = state;
  const { endpoint_id, workflow_id } = wanted;
  const step = followRemoval(removalOf(state), before, event);
  if (step === null) return null;
  if (step === 'gone') {
    const { state: over, intents } = finish({ wanted, option, namespace: before.thing }, abort);
    return { state: over, intents: [...endRemoval(), ...intents] };
  }
  const { removal, intents, again: deadline } = step;
  if (deadline === null) return { state: { ...state, removal }, intents };
  const reason = cleanupPending(abort.reason, leftOf(removal.thing));
  return {
    state: { ...state, removal },
    intents: [
      abandonCalls(),
      ask(recordEndpointCleanupPending, { endpoint_id, workflow_id, reason, deadline }),
      ask(retryWorkflowStep, { workflow_id, step: REMOVE, reason, deadline }),
      ...intents,
    ],
  };
};

/** Undoes a success that is reported after the workflow has ended. */
export const reactOver = (state: In<'over'>, event: Recorded): Reacted | null => {
  const namespace = namespaceIn(event);
  if (namespace === null || namespace === state.namespace) return null;
  const give_up_at = after(event.at, LATE_SECONDS);
  const remove = askDelete(state.wanted, { bud_cluster_id: state.bud_cluster_id, namespace, give_up_at });
  return { state: { ...state, namespace }, intents: [remove] };
};
