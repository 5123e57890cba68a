import { z } from 'zod';
import { ClusterId, EndpointId, UserId, WorkflowId } from '../../events/ids.ts';
import { DeployConfig, Resources } from '../../events/values.ts';

/** What was asked for, as every phase needs it. */
export const ScalingWanted = z.object({
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
export type ScalingWanted = z.output<typeof ScalingWanted>;

export const ScalingState = z.discriminatedUnion('phase', [
  z.object({ phase: z.literal('reserving'), wanted: ScalingWanted }),
  z.object({ phase: z.literal('adding'), wanted: ScalingWanted }),
  z.object({
    phase: z.literal('removing'),
    wanted: ScalingWanted,
    /** The worker that was asked to go last, and is counted again before the next one is. */
    worker_id: z.string().nullable(),
  }),
  z.object({ phase: z.literal('recording'), wanted: ScalingWanted }),
]);
export type ScalingState = z.output<typeof ScalingState>;
export type In<Phase extends ScalingState['phase']> = Extract<ScalingState, { phase: Phase }>;
