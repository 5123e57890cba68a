import { z } from 'zod';
import { ModelOrigin, observed } from './endpoint-values.ts';
import { event } from './event.ts';
import { ClusterId, EndpointId, ProjectId, UserId, WorkflowId } from './ids.ts';
import { Deadline, DeployConfig, Reason, Resources } from './values.ts';

/** What the cluster runs is not what is desired, and does not become so by itself: it is repaired. */
export const EndpointRepairRequested = event(
  'EndpointRepairRequested',
  z.object({
    endpoint_id: EndpointId,
    workflow_id: WorkflowId,
    project_id: ProjectId,
    /** The user who deployed the endpoint. */
    user_id: UserId,
    name: z.string(),
    model_source: ModelOrigin,
    deploy_config: DeployConfig,
    resources_per_replica: Resources,
    cluster_id: ClusterId,
    bud_cluster_id: z.string(),
    simulator_id: z.string(),
    /** Where it was deployed last. */
    namespace: z.string(),
    /** The desired number. */
    replicas: z.int().min(0),
    /** The names of the workers when the endpoint was last as desired; a surplus worker is one of the others first. */
    known_workers: z.array(z.string()),
    /** The number of replicas to start, as far as is known; otherwise there are too many. */
    missing: z.int().min(0).default(0),
    /** Whether the cluster knows the namespace no more, so that the endpoint is deployed anew. */
    redeploy: z.boolean(),
    /** 1 for the first repair since the endpoint was last as desired. */
    attempt: z.int().min(1),
    deadline: Deadline,
  }),
);
/** The cluster runs what is desired again. */
export const EndpointRepaired = event(
  'EndpointRepaired',
  z.object({
    endpoint_id: EndpointId,
    workflow_id: WorkflowId,
    /** Where it was deployed anew; null where it is where it was. */
    deployment: z
      .object({
        bud_cluster_id: z.string(),
        namespace: z.string(),
        url: z.string(),
        supported_endpoints: z.array(z.string()),
      })
      .nullable(),
    ...observed,
  }),
);
/** The repair has failed. The endpoint stays as it is; it is not repaired again before `retry_at`. */
export const EndpointRepairFailed = event(
  'EndpointRepairFailed',
  z.object({ endpoint_id: EndpointId, workflow_id: WorkflowId, reason: Reason, retry_at: Deadline }),
);

export const endpointRepairEvents = [EndpointRepairRequested, EndpointRepaired, EndpointRepairFailed] as const;
