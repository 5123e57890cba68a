import { z } from 'zod';
import { ClusterId, EndpointId, UserId, WorkflowId } from '../../events/ids.ts';
import { DeployConfig, Resources } from '../../events/values.ts';

/** The request, with what every phase needs of it. */
export const ScalingSpec = z.object({
  workflow_id: WorkflowId,
  user_id: UserId,
  endpoint_id: EndpointId,
  name: z.string(),
  model_uri: z.string(),
  provider: z.string(),
  size_bytes: z.int(),
  deploy_config: DeployConfig,
  resources_per_replica: Resources,
  cluster_id: ClusterId,
  bud_cluster_id: z.string(),
  simulator_id: z.string(),
  namespace: z.string(),
  replicas: z.int(),
  previous_replicas: z.int(),
  deadline: z.string(),
});
export type ScalingSpec = z.output<typeof ScalingSpec>;

export const ScalingState = z.discriminatedUnion('phase', [
  z.object({ phase: z.literal('reserving'), wanted: ScalingSpec }),
  z.object({ phase: z.literal('adding'), wanted: ScalingSpec }),
  z.object({
    phase: z.literal('removing'),
    wanted: ScalingSpec,
    /** The worker whose deletion was requested last. The next one is requested after a recount without it. */
    worker_id: z.string().nullable(),
  }),
  z.object({ phase: z.literal('recording'), wanted: ScalingSpec }),
]);
export type ScalingState = z.output<typeof ScalingState>;
export type In<Phase extends ScalingState['phase']> = Extract<ScalingState, { phase: Phase }>;
