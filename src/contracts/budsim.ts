import { z } from 'zod';
import { asynchronousFields } from './asynchronous.ts';

/** Dapr app id of the simulator. */
export const BUDSIM = 'budsim';

const target = z.number().nonnegative().nullable();

/** `POST simulator/run`. TTFT in ms, throughput in tokens per second and user, end-to-end latency in seconds. */
export const RunSimulationRequest = z.strictObject({
  pretrained_model_uri: z.string().min(1),
  model_uri: z.string().min(1).nullable().optional(),
  input_tokens: z.int().nonnegative(),
  output_tokens: z.int().nonnegative(),
  concurrency: z.int().positive(),
  target_ttft: target,
  target_throughput_per_user: target,
  target_e2e_latency: target,
  /** The cluster service's id of a cluster; where it is set, only this cluster is ranked. */
  cluster_id: z.string().nullable().optional(),
  is_proprietary_model: z.boolean(),
  hardware_mode: z.string().min(1),
  model_endpoints: z.union([z.string(), z.array(z.string())]).nullable(),
  model_max_context_length: z.int().positive().nullable().optional(),
  ...asynchronousFields,
});
export type RunSimulationRequest = z.infer<typeof RunSimulationRequest>;

/** `GET simulator/recommendations`: `workflow_id` is the simulator's own. */
export const RecommendationsRequest = z.strictObject({
  workflow_id: z.string().min(1),
  limit: z.int().positive().optional(),
});

/** The performance that the simulator expects on a cluster; null where it has no figure. */
const RecommendationMetrics = z.looseObject({
  device_types: z.array(z.unknown()).nullish(),
  replica: z.number().nullish(),
  concurrency: z.unknown().optional(),
  ttft: z.unknown().optional(),
  throughput_per_user: z.unknown().optional(),
  e2e_latency: z.unknown().optional(),
  error_rate: z.number().nullish(),
  cost_per_million_tokens: z.number().nullish(),
});

const resources = z.object({ cpu_millis: z.number(), memory_mib: z.number() });

/**
 * One cluster that fits; the list is sorted, best first. Only the local simulator sets more than the first two fields.
 */
export const Recommendation = z.looseObject({
  cluster_id: z.string(),
  metrics: RecommendationMetrics,
  reasons: z.array(z.string()).optional(),
  /** The estimated need of one replica of the model. */
  per_replica: resources.optional(),
});
export type Recommendation = z.infer<typeof Recommendation>;

export const RecommendationsAnswer = z.looseObject({ items: z.array(Recommendation) });
