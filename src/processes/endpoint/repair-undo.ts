import { failEndpointRepair } from '../../commands/endpoint/internal/fail-endpoint-repair.ts';
import { parseResult } from '../../contracts/notification.ts';
import type { Recorded } from '../../events/catalog.ts';
import type { Abort } from '../abort.ts';
import { abandonCalls, after, ask, call, type Intent, type Reaction } from '../process.ts';
import { LATE_SECONDS } from '../removal.ts';
import { giveUpWorkflow, reportTo } from '../workflow-intents.ts';
import type { In, Repairing, RepairSpec, RepairState } from './repair-state.ts';

type Reacted = Reaction<RepairState>;

const deleteAt = ({ bud_cluster_id, workflow_id, user_id }: RepairSpec, namespace: string, at: string): Intent =>
  call(
    'cluster.delete-deployment',
    { cluster_id: bud_cluster_id, namespace, ...reportTo(workflow_id, user_id) },
    { give_up_at: after(at, LATE_SECONDS) },
  );

/** Stops what the cluster service still does for the repair, and removes what it has made already. */
const takeBack = (repair: Repairing, at: string): Intent[] => {
  if (repair.phase === 'recording' && repair.moved_to !== null) return [deleteAt(repair.wanted, repair.moved_to, at)];
  if (repair.phase !== 'adding' && repair.phase !== 'deploying') return [];
  const { service_workflow_id: workflow_id } = repair;
  if (workflow_id === null) return [];
  return [call('cluster.cancel-deployment', { workflow_id }, { give_up_at: after(at, LATE_SECONDS) })];
};

const over = (repair: Repairing, event: Recorded, last: readonly Intent[]): Reacted => {
  const deleted = repair.phase === 'recording' ? repair.moved_to : null;
  return {
    state: { repair: { phase: 'over', wanted: repair.wanted, deleted } },
    intents: [abandonCalls(), ...last, ...takeBack(repair, event.at)],
  };
};

/** The domain notes the failure first, so that nobody begins the next repair while this one is taken back. */
export const giveUp = (repair: Repairing, event: Recorded, abort: Abort): Reacted => {
  const { endpoint_id, workflow_id } = repair.wanted;
  const fail = ask(failEndpointRepair, { endpoint_id, workflow_id, reason: abort.reason });
  return over(repair, event, [fail, giveUpWorkflow(workflow_id, abort)]);
};

/** Somebody has asked for another change: the repair gives way. */
export const supersede = (repair: Repairing, event: Recorded, message: string): Reacted | null => {
  if (repair.phase === 'over') return null;
  const abort: Abort = { reason: { code: 'superseded', message }, ending: 'cancelled' };
  return over(repair, event, [giveUpWorkflow(repair.wanted.workflow_id, abort)]);
};

/** A deployment that is reported after all belongs to nobody. */
export const reactOver = (repair: In<'over'>, event: Recorded): Reacted | null => {
  const isResult =
    (event.type === 'WorkflowResultReceived' && event.data.result_type === 'deploy_model') ||
    (event.type === 'WorkflowMessageIgnored' && event.data.message_type === 'deploy_model');
  const namespace = isResult ? parseResult('deploy_model', event.data.result)?.namespace : undefined;
  // Only the answer says which workflow of the service to cancel.
  if (event.type === 'WorkflowCallAnswered' && event.data.service_workflow_id !== null)
    return cancelLate(repair, event);
  if (namespace === undefined || namespace === repair.deleted) return null;
  return {
    state: { repair: { ...repair, deleted: namespace } },
    intents: [deleteAt(repair.wanted, namespace, event.at)],
  };
};

const cancelLate = (
  repair: In<'over'>,
  { data, at }: Extract<Recorded, { type: 'WorkflowCallAnswered' }>,
): Reacted | null => {
  const { call: name, service_workflow_id: workflow_id } = data;
  if (workflow_id === null || (name !== 'cluster.deploy' && name !== 'cluster.add-worker')) return null;
  const cancel = call('cluster.cancel-deployment', { workflow_id }, { give_up_at: after(at, LATE_SECONDS) });
  return { state: { repair }, intents: [cancel] };
};
