import { z } from 'zod';
import { Time } from './event.ts';
import { visibleName } from './visible-name.ts';

/** Small values that several kinds of event share. */

/** The reason of a state: a stable, machine-readable code and a sentence for a person. */
export const Reason = z.object({ code: z.string().min(1), message: z.string().min(1) });
export type Reason = z.output<typeof Reason>;

export const EndpointName = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[a-zA-Z0-9-]+$/, 'only letters, digits and hyphens')
  .transform((name) => name.toLowerCase());
/** Names of projects, models and clusters; surrounding white space is removed. */
export const ResourceName = visibleName(100);
export const Description = z.string().max(400);
export const Tags = z.array(z.string().min(1).max(50)).max(20);
const MOST_REPLICAS = 64;
export const Replicas = z.int().min(1).max(MOST_REPLICAS);
/** Of an endpoint that is deployed: with 0 it is stopped. */
export const ScaledReplicas = z.int().min(0).max(MOST_REPLICAS);

/** Resources of a replica or a cluster: thousandths of a core, and MiB of memory. Integers, so that sums are exact. */
export const Resources = z.object({ cpu_millis: z.int().min(0), memory_mib: z.int().min(0) });
export type Resources = z.output<typeof Resources>;

/** What one replica takes; zero would be room for any number of them. */
export const ReplicaResources = z.strictObject({
  cpu_millis: z.int().min(1).max(1_000_000),
  memory_mib: z.int().min(1).max(100_000_000),
});

/** What is left of resources. Negative where a cluster has lost a node, and has more reserved than it has left. */
export const Balance = z.object({ cpu_millis: z.int(), memory_mib: z.int() });

const pair = (min: number, max: number) =>
  z
    .tuple([z.number().min(min).max(max), z.number().min(min).max(max)])
    .refine(([low, high]) => low <= high, 'the first value must not be greater than the second');

/**
 * The performance goals of a deployment; units: tokens, milliseconds (ttft), tokens per second, seconds (end to end).
 */
export const DeployConfig = z.strictObject({
  concurrency: z.int().min(1).default(1),
  input_tokens: z.int().min(0).max(200_000).default(1024),
  output_tokens: z.int().min(0).max(200_000).default(128),
  ttft_ms: pair(1, 60_000).optional(),
  tokens_per_second: pair(0, 1000).optional(),
  e2e_latency_seconds: pair(0, 600).optional(),
});
export type DeployConfig = z.output<typeof DeployConfig>;

export const Role = z.enum(['admin', 'developer', 'viewer']);
export type Role = z.output<typeof Role>;

/** The areas that have scopes of their own. */
const ScopeArea = z.enum(['model', 'project', 'endpoint', 'cluster', 'dataset', 'benchmark', 'user']);
export type ScopeArea = z.output<typeof ScopeArea>;
const ScopeVerb = z.enum(['view', 'manage']);
export type ScopeVerb = z.output<typeof ScopeVerb>;
/** `<area>:view` or `<area>:manage`; manage implies view. */
export const Scope = z.templateLiteral([ScopeArea, ':', ScopeVerb]);
export type Scope = z.output<typeof Scope>;

/** A file in object storage. */
export const Artefact = z.object({
  object_key: z.string(),
  file_name: z.string(),
  size_bytes: z.int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type Artefact = z.output<typeof Artefact>;

const TensorInfo = z.object({
  name: z.string(),
  /** Open Inference Protocol name, for example FP32. */
  datatype: z.string(),
  /** -1 means a dynamic dimension. */
  shape: z.array(z.int()),
});

/** Metadata of a model from its artefact or, for a cloud model, from its provider; null where it is not stated. */
export const ModelMetadata = z.object({
  format: z.string().nullable(),
  author: z.string().nullable(),
  description: z.string().nullable(),
  license: z.string().nullable(),
  uri: z.string().nullable(),
  modality: z.array(z.string()),
  tasks: z.array(z.string()),
  tags: z.array(z.string()),
  num_params: z.int().min(0).nullable(),
  producer: z.string().nullable(),
  /** Operator set version by domain; the default domain is `ai.onnx`. */
  opset: z.record(z.string(), z.int()),
  inputs: z.array(TensorInfo),
  outputs: z.array(TensorInfo),
  /** What one replica takes, as the engine states that will serve the model; absent where none states it. */
  replica_resources: Resources.optional(),
});
export type ModelMetadata = z.output<typeof ModelMetadata>;

/** A node of a cluster, as the cluster service reports it. */
export const ClusterNode = z.object({
  name: z.string(),
  status: z.string(),
  resources: Resources,
  devices: z.array(z.object({ type: z.string(), name: z.string().nullable(), available_count: z.int().min(0) })),
});
export type ClusterNode = z.output<typeof ClusterNode>;

/** The replica counts of an endpoint, as the cluster reports them. */
export const ReplicaCounts = z.object({
  total: z.int().min(0),
  available: z.int().min(0),
  failed: z.int().min(0),
  pending: z.int().min(0),
});
export type ReplicaCounts = z.output<typeof ReplicaCounts>;

/** One running replica. */
export const Worker = z.object({
  name: z.string(),
  status: z.string(),
  node_name: z.string().nullable(),
  device_name: z.string().nullable(),
});
export type Worker = z.output<typeof Worker>;

/** A cluster that the simulator recommends for a deployment, with its reason. */
export const PlacementCandidate = z.object({
  bud_cluster_id: z.string(),
  rank: z.int().min(1),
  reasons: z.array(z.string()),
  /** Why BudApp did not take it; absent where it took it or did not come to it. */
  passed_over: Reason.optional(),
});
export type PlacementCandidate = z.output<typeof PlacementCandidate>;

/** The time by which a state that is not final must have ended. */
export const Deadline = Time;
