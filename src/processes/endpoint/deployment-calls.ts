import type { DeployRequest } from '../../contracts/budcluster.ts';
import type { RunSimulationRequest } from '../../contracts/budsim.ts';
import type { ModelOrigin } from '../../events/endpoint-values.ts';
import type { UserId, WorkflowId } from '../../events/ids.ts';
import type { DeployConfig } from '../../events/values.ts';
import { reportTo } from '../workflow-intents.ts';

/** The URI, provider and size of a model, as the cluster service takes them. */
export const locate = (
  origin: ModelOrigin,
  objectUri: (key: string) => string,
): { model_uri: string; provider: string; size_bytes: number } =>
  origin.kind === 'artefact'
    ? { model_uri: objectUri(origin.object_key), provider: 'disk', size_bytes: origin.size_bytes }
    : { model_uri: origin.repo_id, provider: origin.source, size_bytes: 0 };

interface Ordered {
  workflow_id: WorkflowId;
  user_id: UserId;
  name: string;
  model_uri: string;
  provider: string;
  size_bytes: number;
  deploy_config: DeployConfig;
}

/** The worst acceptable value of each target: the upper bound of a latency, the lower bound of a throughput. */
const targetsOf = ({ ttft_ms, tokens_per_second, e2e_latency_seconds }: DeployConfig) => ({
  target_ttft: ttft_ms?.[1] ?? null,
  target_throughput_per_user: tokens_per_second?.[0] ?? null,
  target_e2e_latency: e2e_latency_seconds?.[1] ?? null,
});

export const simulationRequest = (ordered: Ordered, bud_cluster_id: string | null): RunSimulationRequest => ({
  pretrained_model_uri: ordered.model_uri,
  model_uri: ordered.model_uri,
  input_tokens: ordered.deploy_config.input_tokens,
  output_tokens: ordered.deploy_config.output_tokens,
  concurrency: ordered.deploy_config.concurrency,
  ...targetsOf(ordered.deploy_config),
  cluster_id: bud_cluster_id,
  is_proprietary_model: false,
  hardware_mode: 'dedicated',
  model_endpoints: null,
  ...reportTo(ordered.workflow_id, ordered.user_id),
});

/** `replicas`: the number to start. When scaling up this is the number of added replicas. */
export const deployRequest = (
  ordered: Ordered,
  { bud_cluster_id, simulator_id, replicas }: { bud_cluster_id: string; simulator_id: string; replicas: number },
): DeployRequest => ({
  cluster_id: bud_cluster_id,
  simulator_id,
  endpoint_name: ordered.name,
  model: ordered.model_uri,
  model_size: null,
  storage_size_gb: ordered.size_bytes / 1e9,
  ...targetsOf(ordered.deploy_config),
  concurrency: ordered.deploy_config.concurrency,
  input_tokens: ordered.deploy_config.input_tokens,
  output_tokens: ordered.deploy_config.output_tokens,
  budaiscaler: { enabled: false, min_replicas: replicas, max_replicas: replicas },
  provider: ordered.provider,
  ...reportTo(ordered.workflow_id, ordered.user_id),
});
