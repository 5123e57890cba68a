import { releaseCapacity } from '../../commands/cluster/internal/release-capacity.ts';
import { cancelEndpoint } from '../../commands/endpoint/internal/cancel-endpoint.ts';
import { failEndpoint } from '../../commands/endpoint/internal/fail-endpoint.ts';
import { parseResult } from '../../contracts/notification.ts';
import type { Recorded } from '../../events/catalog.ts';
import type { Abort } from '../abort.ts';
import { abandonCalls, after, ask, call, end, type Intent, type Reaction, timer } from '../process.ts';
import { giveUpWorkflow, reportTo } from '../workflow-intents.ts';
import type { DeploymentState, EndpointSpec, In, Option } from './deployment-state.ts';

type Reacted = Reaction<DeploymentState>;

/** The clean-up ends within this time, however the cluster behaves. Its reason then names what may be left. */
const UNDO_SECONDS = 180;
const CALL_SECONDS = 120;
/** How long the deletion of a late deployment is attempted. */
const LATE_SECONDS = 3600;
const UNDO = 'undo';

const askDelete = (
  { workflow_id, user_id }: EndpointSpec,
  { bud_cluster_id, namespace, give_up_at }: { bud_cluster_id: string; namespace: string; give_up_at: string },
): Intent =>
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

/** Releases the capacity and the name, and ends the workflow. */
const closing = ({ wanted, option }: { wanted: EndpointSpec; option: Option | null }, abort: Abort): Intent[] => {
  const { workflow_id, endpoint_id } = wanted;
  const { reason } = abort;
  return [
    abandonCalls(),
    ...(option ? [ask(releaseCapacity, { cluster_id: option.cluster_id, endpoint_id, workflow_id })] : []),
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
  const option = 'option' in state ? state.option : null;
  return { state, intents: [...closing({ wanted: state.wanted, option }, abort), end()] };
};

/** `left` names what may be left on the cluster. No `end`, because a success may still be reported and must be undone. */
const finish = (
  { wanted, option, namespace }: { wanted: EndpointSpec; option: Option; namespace: string | null },
  { reason, ending }: Abort,
  left: string | null,
): Reacted => {
  const message = left === null ? reason.message : `${reason.message} ${left}`;
  return {
    state: { phase: 'over', wanted, bud_cluster_id: option.bud_cluster_id, namespace },
    intents: closing({ wanted, option }, { reason: { code: reason.code, message }, ending }),
  };
};

const undoing = (
  state: { wanted: EndpointSpec; option: Option },
  abort: Abort,
  rest: Pick<In<'undoing'>, 'awaiting' | 'namespace'>,
): In<'undoing'> => ({ phase: 'undoing', wanted: state.wanted, option: state.option, trouble: abort, ...rest });

/** Removes what the cluster has made or is making, before the workflow ends. */
export const undo = (
  state: In<'deploying' | 'recording'>,
  event: Recorded,
  { abort, namespace }: { abort: Abort; namespace: string | null },
): Reacted => {
  const { wanted, option } = state;
  const bound = timer(UNDO, after(event.at, UNDO_SECONDS));
  const give_up_at = after(event.at, CALL_SECONDS);
  if (namespace !== null) {
    const remove = askDelete(wanted, { bud_cluster_id: option.bud_cluster_id, namespace, give_up_at });
    return {
      state: undoing(state, abort, { awaiting: 'delete', namespace }),
      intents: [abandonCalls(), remove, bound],
    };
  }
  const service_workflow_id = state.phase === 'deploying' ? state.service_workflow_id : null;
  if (service_workflow_id !== null) {
    const cancel = call('cluster.cancel-deployment', { workflow_id: service_workflow_id }, { give_up_at });
    return {
      state: undoing(state, abort, { awaiting: 'cancel', namespace }),
      intents: [abandonCalls(), cancel, bound],
    };
  }
  if (event.type === 'WorkflowCallFailed' && event.data.call === 'cluster.deploy') {
    return finish({ wanted, option, namespace }, abort, null);
  }
  // The deployment is requested but not answered, and only the answer names the workflow to cancel.
  return { state: undoing(state, abort, { awaiting: 'deploy-answer', namespace }), intents: [abandonCalls(), bound] };
};

const isDeleted = (event: Recorded): boolean => {
  if (event.type === 'WorkflowResultReceived') return event.data.result_type === 'delete_deployment';
  if (event.type !== 'WorkflowMessageIgnored') return false;
  const { message_type, message_event, status } = event.data;
  // The deletion's step is not one of this workflow's steps, so its message is recorded as ignored.
  return message_type === 'delete_deployment' && message_event === 'delete_namespace' && status === 'COMPLETED';
};

const isDeletionFailed = (event: Recorded): boolean =>
  event.type === 'WorkflowMessageIgnored' &&
  event.data.message_type === 'delete_deployment' &&
  event.data.status === 'FAILED';

/** Waits for the clean-up, then ends the workflow. */
export const reactUndoing = (state: In<'undoing'>, event: Recorded): Reacted | null => {
  const { wanted, option, trouble: abort, awaiting, namespace } = state;
  const done = (left: string | null) => finish({ wanted, option, namespace }, abort, left);
  const give_up_at = after(event.at, CALL_SECONDS);
  const late = namespaceIn(event);
  if (late !== null && late !== namespace) {
    const remove = askDelete(wanted, { bud_cluster_id: option.bud_cluster_id, namespace: late, give_up_at });
    return { state: { ...state, awaiting: 'delete', namespace: late }, intents: [remove] };
  }
  const left =
    namespace === null
      ? 'The cluster did not confirm that it stopped the deployment; if it starts after all, it is removed.'
      : `The cluster did not confirm that it removed ${namespace}.`;
  if (event.type === 'WorkflowTimerFired' && event.data.timer === UNDO) return done(left);
  if (awaiting === 'delete') {
    if (isDeleted(event)) return done(null);
    const refused = event.type === 'WorkflowCallFailed' && event.data.call === 'cluster.delete-deployment';
    return refused || isDeletionFailed(event) ? done(left) : null;
  }
  if (event.type === 'WorkflowCallAnswered') {
    if (awaiting === 'cancel') return event.data.call === 'cluster.cancel-deployment' ? done(null) : null;
    const { call: name, service_workflow_id } = event.data;
    if (name !== 'cluster.deploy' || service_workflow_id === null) return null;
    const cancel = call('cluster.cancel-deployment', { workflow_id: service_workflow_id }, { give_up_at });
    return { state: { ...state, awaiting: 'cancel' }, intents: [cancel] };
  }
  if (event.type !== 'WorkflowCallFailed') return null;
  if (awaiting === 'cancel') return event.data.call === 'cluster.cancel-deployment' ? done(left) : null;
  return event.data.call === 'cluster.deploy' ? done(null) : null;
};

/** Undoes a success that is reported after the workflow has ended. */
export const reactOver = (state: In<'over'>, event: Recorded): Reacted | null => {
  const namespace = namespaceIn(event);
  if (namespace === null || namespace === state.namespace) return null;
  const give_up_at = after(event.at, LATE_SECONDS);
  const remove = askDelete(state.wanted, { bud_cluster_id: state.bud_cluster_id, namespace, give_up_at });
  return { state: { ...state, namespace }, intents: [remove] };
};
