import { z } from 'zod';
import { ClusterId, EndpointId, UserId, WorkflowId } from '../../events/ids.ts';
import { DeployConfig, Resources } from '../../events/values.ts';

/** A request to change what is deployed, with what every phase needs of it. Stored: keep it backward compatible. */
export const DeployedSpec = z.object({
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
  /** The desired number. */
  replicas: z.int(),
  deadline: z.string(),
});
