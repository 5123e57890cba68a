import { z } from 'zod';
import { toClusterNodes } from '../../commands/cluster/cluster-report.ts';
import { recordClusterRecoveryOverdue } from '../../commands/cluster/internal/record-cluster-recovery-overdue.ts';
import { recordClusterStatus } from '../../commands/cluster/internal/record-cluster-status.ts';
import { startWorkflowStep } from '../../commands/workflow/internal/start-workflow-step.ts';
import { HealthAnswer, NodesAnswer } from '../../contracts/budcluster.ts';
import type { Recorded } from '../../events/catalog.ts';
import { ClusterId, WorkflowId } from '../../events/ids.ts';
import { type Abort, DEADLINE, failed } from '../abort.ts';
import { abandonCalls, after, ask, call, end, type Process, type Reaction, timer, workflowOf } from '../process.ts';
import { begin, giveUpWorkflow, succeed } from '../workflow-intents.ts';

const State = z.object({ workflow_id: WorkflowId, cluster_id: ClusterId, bud_cluster_id: z.string() });
type State = z.output<typeof State>;
type Begun = Extract<Recorded, { type: 'ClusterBecameUnavailable' | 'ClusterRecoveryOverdue' }>;

const CHECK = 'check';
const STEP = 'wait_for_cluster';
const STEPS = { [STEP]: 'Wait until the cluster is available again' };
const FIRST_CHECK_SECONDS = 15;
const CHECK_SECONDS = 60;
/** The two calls of a check share it; without an answer by then they make room for the next check. */
const CALL_PATIENCE_SECONDS = 20;

/**
 *     (unavailable) -> checking <-> (asks for its health, then for its nodes, and records that it is back)
 *                         |--available--------------> (succeeded)
 *                         |--deleted----------------> (cancelled)
 *                         '--the deadline passes----> (failed: the cluster is overdue, and the next recovery begins)
 */
export const clusterRecovery: Process<State> = {
  name: 'cluster-recovery',
  state: State,
  workflowOf: (event) => {
    switch (event.type) {
      case 'ClusterBecameUnavailable':
      case 'ClusterRecoveryOverdue':
        return event.data.recovery?.workflow_id ?? null;
      case 'ClusterBecameAvailable':
      case 'ClusterDeletionRequested':
        return event.data.recovery_id ?? null;
      default:
        return workflowOf(event);
    }
  },
  react: (state, event) => {
    if (state) return react(state, event);
    return event.type === 'ClusterBecameUnavailable' || event.type === 'ClusterRecoveryOverdue' ? start(event) : null;
  },
};

const start = ({ data, at }: Begun): Reaction<State> | null => {
  if (!data.recovery) return null;
  const { cluster_id, deadline, reason } = data;
  const { workflow_id, user_id, name, bud_cluster_id } = data.recovery;
  const target = { area: 'cluster', id: cluster_id, name } as const;
  const kind = 'cluster-recovery';
  return {
    state: { workflow_id, cluster_id, bud_cluster_id },
    intents: [
      ...begin({ workflow_id, user_id, kind, target, project_id: null, steps: STEPS, deadline }),
      ask(startWorkflowStep, { workflow_id, step: STEP, message: reason.message, deadline }),
      timer(CHECK, after(at, FIRST_CHECK_SECONDS)),
    ],
  };
};

const react = (state: State, event: Recorded): Reaction<State> | null => {
  switch (event.type) {
    case 'ClusterBecameAvailable':
      return { state, intents: [abandonCalls(), succeed(state.workflow_id), end()] };
    case 'ClusterDeletionRequested': {
      const reason = { code: 'superseded', message: 'The cluster is being deleted.' };
      return giveUp(state, { reason, ending: 'cancelled' });
    }
    case 'WorkflowTimerFired':
      return event.data.timer === DEADLINE ? goOverdue(state) : check(state, event.at);
    case 'WorkflowCallAnswered':
      return hear(state, event);
    case 'WorkflowCommandRefused':
      // Anything else that a status was refused for may be past at the next check.
      if (event.data.reason.code !== 'cluster-not-found') return null;
      return giveUp(state, { reason: event.data.reason, ending: 'failed' });
    default:
      // A check that failed is followed by the next one.
      return null;
  }
};

const giveUp = (state: State, trouble: Abort): Reaction<State> => ({
  state,
  intents: [abandonCalls(), giveUpWorkflow(state.workflow_id, trouble), end()],
});

const check = (state: State, at: string): Reaction<State> => {
  const request = { cluster_id: state.bud_cluster_id };
  const give_up_at = after(at, CALL_PATIENCE_SECONDS);
  return {
    state,
    intents: [call('cluster.health', request, { give_up_at }), timer(CHECK, after(at, CHECK_SECONDS))],
  };
};

/** Other than for a cluster that is thought to be well, silence is no good news here: it must say that it is back. */
const GOOD_STATUSES: ReadonlySet<string> = new Set(['available', 'ready', 'healthy', 'ok', 'active', 'running']);

const hear = (state: State, { data, at }: Extract<Recorded, { type: 'WorkflowCallAnswered' }>) => {
  const { cluster_id, bud_cluster_id } = state;
  if (data.call === 'cluster.health') {
    const status = HealthAnswer.safeParse(data.answer).data?.status?.toLowerCase();
    if (!status || !GOOD_STATUSES.has(status)) return null;
    const give_up_at = after(at, CALL_PATIENCE_SECONDS);
    return { state, intents: [call('cluster.nodes', { cluster_id: bud_cluster_id }, { give_up_at })] };
  }
  const answer = NodesAnswer.safeParse(data.answer);
  if (data.call !== 'cluster.nodes' || !answer.success) return null;
  const nodes = toClusterNodes(answer.data.nodes);
  return { state, intents: [ask(recordClusterStatus, { cluster_id, available: true, nodes })] };
};

/** The fact that records it begins the next recovery; this one can do no more. */
const goOverdue = (state: State): Reaction<State> => {
  const { cluster_id, workflow_id } = state;
  const trouble = failed('recovery-overdue', 'The cluster did not come back in time; it is looked after further.');
  return {
    state,
    intents: [
      abandonCalls(),
      ask(recordClusterRecoveryOverdue, { cluster_id, workflow_id }),
      giveUpWorkflow(workflow_id, trouble),
      end(),
    ],
  };
};
