import { z } from 'zod';
import { toClusterNodes } from '../../commands/cluster/cluster-report.ts';
import { failClusterReregistration } from '../../commands/cluster/internal/fail-cluster-reregistration.ts';
import { recordClusterReregistered } from '../../commands/cluster/internal/record-cluster-reregistered.ts';
import { parseResult } from '../../contracts/notification.ts';
import type { Recorded } from '../../events/catalog.ts';
import { ClusterType } from '../../events/cluster-events.ts';
import { ClusterId, UserId, WorkflowId } from '../../events/ids.ts';
import { type Abort, abortOf, failed } from '../abort.ts';
import { abandonCalls, after, ask, call, end, type Intent, type Process, type Reaction } from '../process.ts';
import { LATE_SECONDS } from '../removal.ts';
import { begin, giveUpWorkflow, reportTo, succeed } from '../workflow-intents.ts';

const spec = {
  workflow_id: WorkflowId,
  user_id: UserId,
  cluster_id: ClusterId,
  cluster_type: ClusterType,
};
const State = z.discriminatedUnion('phase', [
  z.object({
    phase: z.literal('registering'),
    ...spec,
    /** The service's own workflow; its result can come before its answer. */
    service_workflow_id: z.string().nullable(),
  }),
  z.object({ phase: z.literal('recording'), ...spec, bud_cluster_id: z.string() }),
  /** The workflow has ended without success. What is registered later is deleted. */
  z.object({ phase: z.literal('over'), ...spec, deleted: z.string().nullable() }),
]);
type State = z.output<typeof State>;
type In<Phase extends State['phase']> = Extract<State, { phase: Phase }>;
type Requested = Extract<Recorded, { type: 'ClusterReregistrationRequested' }>;

const STEPS = {
  determine_cluster_platform: 'Determine the platform',
  check_duplicate_config: 'Check for a duplicate',
  verify_cluster_connection: 'Connect to the cluster',
  configure_cluster: 'Configure the cluster',
  fetch_cluster_info: 'Read the nodes',
};
const FOLLOW_UP_SECONDS = 600;

/**
 *     (requested) -> registering -> recording -> (available)
 *                         |              '--refused---.
 *                         '--failed, late, cancelled--'--> over: what the service has registered in vain is deleted
 *
 * Endpoints that the service has forgotten with the cluster are repaired once it is available: see `endpoint-repair`.
 */
export const clusterReregistration: Process<State> = {
  name: 'cluster-reregistration',
  state: State,
  react: (state, event) => {
    if (!state) return event.type === 'ClusterReregistrationRequested' ? start(event) : null;
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

const start = ({ data }: Requested): Reaction<State> => {
  const { workflow_id, user_id, cluster_id, name, cluster_type, ingress_url, configuration, deadline } = data;
  const target = { area: 'cluster', id: cluster_id, name } as const;
  const report = reportTo(workflow_id, user_id);
  const request = {
    cluster_create_request: { enable_master_node: true, name, ingress_url, cluster_type, ...report },
    // The configuration is sealed until the dispatcher makes the call.
    configuration,
  };
  const kind = 'cluster-reregistration';
  return {
    state: { phase: 'registering', workflow_id, user_id, cluster_id, cluster_type, service_workflow_id: null },
    intents: [
      ...begin({ workflow_id, user_id, kind, target, project_id: null, steps: STEPS, deadline }),
      call('cluster.register', request, { give_up_at: deadline }),
    ],
  };
};

const reactRegistering = (state: In<'registering'>, event: Recorded): Reaction<State> | null => {
  if (event.type === 'WorkflowCallAnswered' && event.data.call === 'cluster.register') {
    return { state: { ...state, service_workflow_id: event.data.service_workflow_id }, intents: [] };
  }
  if (event.type === 'WorkflowResultReceived' && event.data.result_type === 'register_cluster') {
    const result = parseResult('register_cluster', event.data.result);
    if (!result) return giveUp(state, event, UNREADABLE);
    const { service_workflow_id: _theirs, ...rest } = state;
    const { cluster_id, workflow_id } = state;
    const registered = { cluster_id, workflow_id, bud_cluster_id: result.id, nodes: toClusterNodes(result.nodes) };
    return {
      state: { ...rest, phase: 'recording', bud_cluster_id: result.id },
      intents: [ask(recordClusterReregistered, registered)],
    };
  }
  const abort = abortOf(event);
  return abort && giveUp(state, event, abort);
};

const UNREADABLE = failed('registration-failed', 'The cluster service could not register the cluster.');

const reactRecording = (state: In<'recording'>, event: Recorded): Reaction<State> | null => {
  if (event.type === 'ClusterReregistered') {
    const { workflow_id, bud_cluster_id } = state;
    const give_up_at = after(event.at, FOLLOW_UP_SECONDS);
    const watch = call('cluster.update-node-status', { cluster_id: bud_cluster_id }, { give_up_at });
    return { state, intents: [succeed(workflow_id), watch, end()] };
  }
  const abort = abortOf(event);
  return abort && giveUp(state, event, abort);
};

const deleteThere = ({ cluster_type, workflow_id, user_id }: State, cluster_id: string, at: string): Intent =>
  call(
    'cluster.delete',
    { cluster_id, cluster_type, ...reportTo(workflow_id, user_id) },
    { give_up_at: after(at, LATE_SECONDS) },
  );

const cancelThere = (workflow_id: string, at: string): Intent =>
  call('cluster.cancel', { workflow_id }, { give_up_at: after(at, LATE_SECONDS) });

const giveUp = (state: In<'registering' | 'recording'>, event: Recorded, abort: Abort): Reaction<State> => {
  const { workflow_id, user_id, cluster_id, cluster_type } = state;
  const deleted = state.phase === 'recording' ? state.bud_cluster_id : null;
  const theirs = state.phase === 'registering' ? state.service_workflow_id : null;
  return {
    state: { phase: 'over', workflow_id, user_id, cluster_id, cluster_type, deleted },
    intents: [
      abandonCalls(),
      ask(failClusterReregistration, { cluster_id, workflow_id, reason: abort.reason }),
      giveUpWorkflow(workflow_id, abort),
      ...(deleted === null ? [] : [deleteThere(state, deleted, event.at)]),
      ...(theirs === null ? [] : [cancelThere(theirs, event.at)]),
    ],
  };
};

const reactOver = (state: In<'over'>, event: Recorded): Reaction<State> | null => {
  if (event.type === 'WorkflowCallAnswered' && event.data.call === 'cluster.register') {
    const { service_workflow_id } = event.data;
    return service_workflow_id === null ? null : { state, intents: [cancelThere(service_workflow_id, event.at)] };
  }
  const isResult =
    (event.type === 'WorkflowResultReceived' && event.data.result_type === 'register_cluster') ||
    (event.type === 'WorkflowMessageIgnored' && event.data.message_type === 'register_cluster');
  const id = isResult ? parseResult('register_cluster', event.data.result)?.id : undefined;
  if (id === undefined || id === state.deleted) return null;
  return { state: { ...state, deleted: id }, intents: [deleteThere(state, id, event.at)] };
};
