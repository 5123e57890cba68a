import { z } from 'zod';
import { countWorkers, toWorkers } from '../../commands/endpoint/endpoint-report.ts';
import { recordEndpointRecoveryOverdue } from '../../commands/endpoint/internal/record-endpoint-recovery-overdue.ts';
import { recordEndpointReport } from '../../commands/endpoint/internal/record-endpoint-report.ts';
import { startWorkflowStep } from '../../commands/workflow/internal/start-workflow-step.ts';
import { type Worker as ReportedWorker, WorkersAnswer } from '../../contracts/budcluster.ts';
import type { Recorded } from '../../events/catalog.ts';
import { EndpointId, WorkflowId } from '../../events/ids.ts';
import { type Abort, DEADLINE, failed } from '../abort.ts';
import { abandonCalls, after, ask, call, end, type Process, type Reaction, timer, workflowOf } from '../process.ts';
import { begin, giveUpWorkflow, succeed } from '../workflow-intents.ts';

const State = z.object({
  workflow_id: WorkflowId,
  endpoint_id: EndpointId,
  bud_cluster_id: z.string(),
  namespace: z.string(),
  /** The code of the reason why the endpoint became degraded. */
  cause: z.string(),
  deadline: z.string(),
});
type State = z.output<typeof State>;
type Begun = Extract<Recorded, { type: 'EndpointDegraded' | 'EndpointRecoveryOverdue' }>;

const CHECK = 'check';
const STEP = 'wait_for_replicas';
const STEPS = { [STEP]: 'Wait until the endpoint is well again' };
/** Most troubles pass by themselves, and the cluster says so: asking is for what gets lost. */
const FIRST_CHECK_SECONDS = 15;
const CHECK_SECONDS = 60;
/** A check that has no answer by then makes room for the next one. */
const CHECK_PATIENCE_SECONDS = 45;

/**
 *     (degraded) -> checking <-> (asks the cluster, records what it says)
 *                      |--recovered---------------> (succeeded)
 *                      |--scaled or deleted-------> (cancelled)
 *                      '--the deadline passes-----> (failed: the endpoint is overdue, and the next recovery begins)
 */
export const endpointRecovery: Process<State> = {
  name: 'endpoint-recovery',
  state: State,
  workflowOf: (event) => {
    switch (event.type) {
      case 'EndpointDegraded':
      case 'EndpointRecoveryOverdue':
        return event.data.recovery?.workflow_id ?? null;
      case 'EndpointRecovered':
      case 'EndpointScalingRequested':
      case 'EndpointDeletionRequested':
        return event.data.recovery_id ?? null;
      default:
        return workflowOf(event);
    }
  },
  react: (state, event) => {
    if (state) return react(state, event);
    return event.type === 'EndpointDegraded' || event.type === 'EndpointRecoveryOverdue' ? start(event) : null;
  },
};

const start = ({ data, at }: Begun): Reaction<State> | null => {
  if (!data.recovery) return null;
  const { endpoint_id, deadline, reason } = data;
  const { workflow_id, project_id, user_id, name, bud_cluster_id, namespace, cause } = data.recovery;
  const target = { area: 'endpoint', id: endpoint_id, name } as const;
  const kind = 'endpoint-recovery';
  return {
    state: { workflow_id, endpoint_id, bud_cluster_id, namespace, cause, deadline },
    intents: [
      ...begin({ workflow_id, user_id, kind, target, project_id, steps: STEPS, deadline }),
      ask(startWorkflowStep, { workflow_id, step: STEP, message: reason.message, deadline }),
      timer(CHECK, after(at, FIRST_CHECK_SECONDS)),
    ],
  };
};

const react = (state: State, event: Recorded): Reaction<State> | null => {
  const { workflow_id } = state;
  switch (event.type) {
    case 'EndpointRecovered':
      return { state, intents: [abandonCalls(), succeed(workflow_id), end()] };
    case 'EndpointScalingRequested':
      return giveUp(state, superseded('The endpoint is being scaled.'));
    case 'EndpointDeletionRequested':
      return giveUp(state, superseded('The endpoint is being deleted.'));
    case 'WorkflowTimerFired':
      return event.data.timer === DEADLINE ? goOverdue(state) : check(state, event.at);
    case 'WorkflowCallAnswered':
      return record(state, event.data.answer);
    case 'WorkflowCommandRefused':
      // Anything else that a report was refused for may be past at the next check.
      if (event.data.reason.code !== 'endpoint-not-found') return null;
      return giveUp(state, { reason: event.data.reason, ending: 'failed' });
    default:
      // A check that failed is followed by the next one: the cluster may be what is ill.
      return null;
  }
};

const superseded = (message: string): Abort => ({ reason: { code: 'superseded', message }, ending: 'cancelled' });

const giveUp = (state: State, trouble: Abort): Reaction<State> => ({
  state,
  intents: [abandonCalls(), giveUpWorkflow(state.workflow_id, trouble), end()],
});

const check = (state: State, at: string): Reaction<State> => {
  const { bud_cluster_id, namespace } = state;
  const request = { cluster_id: bud_cluster_id, namespace, refresh: true, limit: 100 };
  const give_up_at = after(at, CHECK_PATIENCE_SECONDS);
  return {
    state,
    intents: [call('cluster.list-workers', request, { give_up_at }), timer(CHECK, after(at, CHECK_SECONDS))],
  };
};

const KNOWN_STATUSES: ReadonlySet<string> = new Set([
  'ready',
  'pending',
  'ingress_failed',
  'endpoints_failed',
  'failed',
  'error',
]);

/**
 * What the replicas alone cannot tell stays as it was: that requests do not get through, or that the cluster reported a
 * failure. Only the deployment's own status, where the cluster adds it, takes that back.
 */
const beyondReplicas = (workers: readonly ReportedWorker[], cause: string) => {
  const said = workers.find(({ deployment_status }) => KNOWN_STATUSES.has(deployment_status ?? ''))?.deployment_status;
  if (said) return { status: said, ingress_healthy: said === 'ready' ? true : null };
  return {
    status: cause === 'cluster-reports-failure' ? 'error' : 'unknown',
    ingress_healthy: cause === 'ingress-unhealthy' ? false : null,
  };
};

const record = (state: State, answer: unknown): Reaction<State> | null => {
  const listed = WorkersAnswer.safeParse(answer);
  if (!listed.success) return null;
  const { endpoint_id, cause } = state;
  const workers = toWorkers(listed.data.workers);
  const report = { endpoint_id, replicas: countWorkers(workers), workers };
  return {
    state,
    intents: [ask(recordEndpointReport, { ...report, ...beyondReplicas(listed.data.workers, cause) })],
  };
};

/** The fact that records it begins the next recovery; this one can do no more. */
const goOverdue = (state: State): Reaction<State> => {
  const { endpoint_id, workflow_id } = state;
  const trouble = failed('recovery-overdue', 'The endpoint did not recover in time; it is looked after further.');
  return {
    state,
    intents: [
      abandonCalls(),
      ask(recordEndpointRecoveryOverdue, { endpoint_id, workflow_id }),
      giveUpWorkflow(workflow_id, trouble),
      end(),
    ],
  };
};
