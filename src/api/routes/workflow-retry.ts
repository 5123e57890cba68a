import { z } from 'zod';
import { deleteCluster } from '../../commands/cluster/delete-cluster.ts';
import { retryRegistration } from '../../commands/cluster/retry-registration.ts';
import type { AnyCommand } from '../../commands/command.ts';
import { deleteEndpoint } from '../../commands/endpoint/delete-endpoint.ts';
import { retryDeployment } from '../../commands/endpoint/retry-deployment.ts';
import { scaleEndpoint } from '../../commands/endpoint/scale-endpoint.ts';
import { retryOnboarding } from '../../commands/model/retry-onboarding.ts';
import { notRetryable } from '../../commands/retry.ts';
import { streamOf, toFact } from '../../events/catalog.ts';
import { WorkflowId } from '../../events/ids.ts';
import { WorkflowRow } from '../../projections/workflows.ts';
import { requestHash } from '../idempotency.ts';
import { getVisible } from '../read-route.ts';
import { resources } from '../resource.ts';
import { type Exchange, type Route, route } from '../route.ts';
import { findOutcome, perform, type WriteServices, writeAnswer } from '../write.ts';

type RetryExchange = Exchange<{ workflow_id: WorkflowId }, object>;

const Workflow = WorkflowRow.pick({ kind: true, target: true, status: true });
type Workflow = z.output<typeof Workflow>;

/** The command that does again what the workflow was to do. */
interface Order {
  command: AnyCommand;
  /** Reads what it must know from the log. Throws `Rejected` `workflow-not-retryable`. */
  dataOf(id: string): object | Promise<object>;
}

/** The replicas that the scaling was to reach. Throws `Rejected` where the endpoint was changed by another workflow since. */
const wantedReplicas = async ({ log }: WriteServices, endpointId: string, workflowId: WorkflowId): Promise<number> => {
  let wanted: number | null = null;
  for await (const recorded of log.readStream(streamOf('endpoint', endpointId))) {
    const { type, data } = toFact(recorded);
    if (type === 'EndpointScalingRequested') wanted = data.workflow_id === workflowId ? data.replicas : null;
    if (type === 'EndpointDeletionRequested') wanted = null;
  }
  if (wanted !== null) return wanted;
  throw notRetryable('A later workflow has changed the endpoint.', 'Scale the endpoint to the wanted number.');
};

/** Throws `Rejected` `workflow-not-retryable` for a kind that cannot be retried. */
const orderOf = (services: WriteServices, { kind }: Workflow, workflow_id: WorkflowId): Order => {
  switch (kind) {
    case 'endpoint-deployment':
      return { command: retryDeployment, dataOf: (endpoint_id) => ({ endpoint_id, workflow_id }) };
    case 'endpoint-scaling':
      return {
        command: scaleEndpoint,
        dataOf: async (endpoint_id) => ({
          endpoint_id,
          replicas: await wantedReplicas(services, endpoint_id, workflow_id),
        }),
      };
    case 'endpoint-deletion':
      return { command: deleteEndpoint, dataOf: (endpoint_id) => ({ endpoint_id }) };
    case 'cluster-onboarding':
      return { command: retryRegistration, dataOf: (cluster_id) => ({ cluster_id, workflow_id }) };
    case 'cluster-deletion':
      return { command: deleteCluster, dataOf: (cluster_id) => ({ cluster_id }) };
    case 'model-onboarding':
      return { command: retryOnboarding, dataOf: (model_id) => ({ model_id, workflow_id }) };
    case 'endpoint-recovery':
    case 'endpoint-repair':
    case 'cluster-recovery':
    case 'cluster-reregistration':
      throw notRetryable('BudApp retries a workflow of this kind by itself.', 'Wait for the next one.');
  }
};

const assertOver = ({ status }: Workflow): void => {
  if (status === 'failed' || status === 'cancelled') return;
  const hint = status === 'running' ? 'Wait until it ends, or cancel it.' : 'There is nothing to do again.';
  throw notRetryable(`The workflow is ${status}.`, hint);
};

/**
 * `POST /workflows/{workflow_id}/retry`. A workflow that failed or was cancelled has taken back what it did, so a new one
 * does it again on the same resource, which the answer shows.
 */
export const workflowRetryRoute = (services: WriteServices, tag: string): Route => ({
  ...route({
    method: 'POST',
    path: '/workflows/{workflow_id}/retry',
    operation_id: 'RetryWorkflow',
    summary: 'Retry a workflow that failed or was cancelled',
    description:
      'Starts a new workflow that does again what this one was to do, on the same endpoint, cluster or model: under the same name, with the same settings, and with no second upload. It is refused with `workflow-not-retryable` where a later workflow has changed the target, where something is still being removed, and for the onboarding of a model that was cancelled, or whose file no service can read: that file is removed.',
    tag,
    permission: ['endpoint:manage', 'cluster:manage', 'model:manage'],
    params: z.strictObject({ workflow_id: WorkflowId }),
    answers: {
      accepted: {
        description: 'The endpoint, cluster or model; `workflow_id` names the new workflow',
        schema: z.union([resources.endpoint.schema, resources.cluster.schema, resources.model.schema]),
        headers: { Location: 'always', ETag: 'always', Position: 'always' },
      },
      ok: {
        description: 'The endpoint, which is as the workflow was to make it',
        schema: resources.endpoint.schema,
        headers: { ETag: 'always', Position: 'sometimes' },
      },
    },
    refusals: ['forbidden', 'not-found', 'conflict', 'stale', 'invalid'],
    handle: async (exchange: RetryExchange) => {
      const { caller, facts, ctx, params } = exchange;
      const { workflow_id } = params;
      const workflow = Workflow.parse(await getVisible(services, resources.workflow, { id: workflow_id, exchange }));
      const { id } = workflow.target;
      const order = orderOf(services, workflow, workflow_id);
      const { command } = order;
      const keyed = { caller, key: facts.idempotency_key, request_hash: requestHash('POST', ctx.path, {}) };
      return services.idempotency.run(keyed, async (attempt) => {
        const recorded = attempt.may_repeat ? await findOutcome(services, command, { id, attempt }) : null;
        if (recorded) return writeAnswer(services, command, { outcome: recorded, attempt });
        assertOver(workflow);
        const outcome = await perform(services, command, { data: await order.dataOf(id), exchange, attempt });
        return writeAnswer(services, command, { outcome, attempt });
      });
    },
  }),
  writes: true,
});
