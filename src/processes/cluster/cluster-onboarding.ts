import { z } from 'zod';
import { toClusterNodes } from '../../commands/cluster/cluster-report.ts';
import { failClusterRegistration } from '../../commands/cluster/internal/fail-cluster-registration.ts';
import { recordClusterRegistered } from '../../commands/cluster/internal/record-cluster-registered.ts';
import { parseResult } from '../../contracts/notification.ts';
import type { Recorded } from '../../events/catalog.ts';
import { ClusterType } from '../../events/cluster-events.ts';
import { ClusterId, UserId, WorkflowId } from '../../events/ids.ts';
import { type Abort, abortOf, failed } from '../abort.ts';
import { abandonCalls, after, ask, call, end, type Intent, type Process, type Reaction } from '../process.ts';
import { begin, giveUpWorkflow, reportTo, requesterOf, succeed } from '../workflow-intents.ts';

const known = { workflow_id: WorkflowId, user_id: UserId, cluster_id: ClusterId, cluster_type: ClusterType };
const State = z.discriminatedUnion('phase', [
  z.object({ phase: z.literal('registering'), ...known, service_workflow_id: z.string().nullable() }),
  z.object({ phase: z.literal('recording'), ...known, bud_cluster_id: z.string() }),
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
const FOLLOW_UP_SECONDS = 600;

/**
 *     (requested) -> registering -> recording -> (available)
 *                        |             '--refused--> over: what the service registered is deleted
 *                        '--failed, late, cancelled--> over: what it still registers later is deleted
 */
export const clusterOnboarding: Process<State> = {
  name: 'cluster-onboarding',
  state: State,
  react: (state, event) => {
    if (!state) return event.type === 'ClusterRegistrationRequested' ? start(event) : null;
    switch (state.phase) {
      case 'registering':
        return reactRegistering(state, event);
      case 'recording':
        return reactRecording(state, event);
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

const askDelete = (state: State, event: Recorded, bud_cluster_id: string): Intent =>
  call(
    'cluster.delete',
    { cluster_id: bud_cluster_id, cluster_type: state.cluster_type, ...reportTo(state.workflow_id, state.user_id) },
    { give_up_at: after(event.at, FOLLOW_UP_SECONDS) },
  );

const giveUp = (state: State, abort: Abort, cleanUp: { bud_cluster_id: string | null; call: Intent[] }) => {
  const { workflow_id, user_id, cluster_id, cluster_type } = state;
  const { bud_cluster_id } = cleanUp;
  const over: State = { phase: 'over', workflow_id, user_id, cluster_id, cluster_type, bud_cluster_id };
  return {
    state: over,
    intents: [
      abandonCalls(),
      ask(failClusterRegistration, { cluster_id, reason: abort.reason }),
      giveUpWorkflow(workflow_id, abort),
      ...cleanUp.call,
    ],
  };
};

const reactRegistering = (state: In<'registering'>, event: Recorded): Reaction<State> | null => {
  if (event.type === 'WorkflowCallAnswered' && event.data.call === 'cluster.register') {
    return { state: { ...state, service_workflow_id: event.data.service_workflow_id }, intents: [] };
  }
  const { service_workflow_id, ...rest } = state;
  if (event.type === 'WorkflowResultReceived' && event.data.result_type === 'register_cluster') {
    const result = parseResult('register_cluster', event.data.result);
    if (result) {
      const { cluster_id } = state;
      const nodes = toClusterNodes(result.nodes);
      return {
        state: { ...rest, phase: 'recording', bud_cluster_id: result.id },
        intents: [ask(recordClusterRegistered, { cluster_id, bud_cluster_id: result.id, nodes })],
      };
    }
  }
  const unreadable = event.type === 'WorkflowResultReceived' && event.data.result_type === 'register_cluster';
  const abort = unreadable
    ? failed('registration-failed', 'The cluster service could not register the cluster.')
    : abortOf(event);
  if (!abort) return null;
  const give_up_at = after(event.at, FOLLOW_UP_SECONDS);
  const cancel =
    service_workflow_id === null ? [] : [call('cluster.cancel', { workflow_id: service_workflow_id }, { give_up_at })];
  return giveUp(state, abort, { bud_cluster_id: null, call: cancel });
};

const reactRecording = (state: In<'recording'>, event: Recorded): Reaction<State> | null => {
  const { workflow_id, bud_cluster_id } = state;
  if (event.type === 'ClusterRegistered') {
    const give_up_at = after(event.at, FOLLOW_UP_SECONDS);
    const watch = call('cluster.update-node-status', { cluster_id: bud_cluster_id }, { give_up_at });
    return { state, intents: [succeed(workflow_id), watch, end()] };
  }
  if (event.type !== 'WorkflowCommandRefused' || event.data.command !== recordClusterRegistered.type) return null;
  const abort = { reason: event.data.reason, ending: 'failed' } as const;
  return giveUp(state, abort, { bud_cluster_id, call: [askDelete(state, event, bud_cluster_id)] });
};

const reactOver = (state: In<'over'>, event: Recorded): Reaction<State> | null => {
  if (event.type !== 'WorkflowMessageIgnored' || event.data.message_type !== 'register_cluster') return null;
  const result = parseResult('register_cluster', event.data.result);
  if (!result || result.id === state.bud_cluster_id) return null;
  return { state: { ...state, bud_cluster_id: result.id }, intents: [askDelete(state, event, result.id)] };
};
