import { z } from 'zod';
import { asynchronousFields } from './asynchronous.ts';

/** Dapr app id of the cluster service. */
export const BUDCLUSTER = 'budcluster';

/**
 * An id that the service made. It becomes a segment of a path, where `.` and `..` would lead elsewhere, escaped or not.
 */
const theirId = z
  .string()
  .min(1)
  .refine((id) => id !== '.' && id !== '..', 'must not be a dot segment');
/** The service's own id of a cluster (`bud_cluster_id` in BudApp), never BudApp's id. */
const theirClusterId = theirId;
const tokens = z.int().nonnegative();
/** Milliseconds for TTFT, tokens per second for throughput, seconds for end-to-end latency; null: no target. */
const target = z.number().nonnegative().nullable();

/** Replica bounds, in the free-form autoscaler object. The local cluster starts `min_replicas` replicas. */
export const BudAiScaler = z.looseObject({
  enabled: z.boolean(),
  min_replicas: z.int().positive().optional(),
  max_replicas: z.int().positive().optional(),
});
export type BudAiScaler = z.infer<typeof BudAiScaler>;

const deployFields = {
  cluster_id: theirClusterId,
  simulator_id: z.string().min(1),
  endpoint_name: z.string().min(1),
  /** URI of the model, for example what the object store's `uri()` answered. */
  model: z.string().min(1),
  /** Billions of parameters; null where the number is not known. */
  model_size: z.number().nonnegative().nullable(),
  storage_size_gb: z.number().nonnegative(),
  target_ttft: target,
  target_e2e_latency: target,
  target_throughput_per_user: target,
  concurrency: z.int().positive(),
  input_tokens: tokens,
  output_tokens: tokens,
  credential_id: z.string().nullable().optional(),
  budaiscaler: BudAiScaler.nullable().optional(),
  provider: z.string().min(1),
  enable_tool_calling: z.boolean().nullable().optional(),
  enable_reasoning: z.boolean().nullable().optional(),
  default_storage_class: z.string().nullable().optional(),
  default_access_mode: z.string().nullable().optional(),
  model_max_context_length: z.int().positive().nullable().optional(),
  ...asynchronousFields,
};

/** `POST deployment`: a new deployment. */
export const DeployRequest = z.strictObject(deployFields);
export type DeployRequest = z.infer<typeof DeployRequest>;

/** `POST deployment` with a namespace: `concurrency` is the addition. */
export const AddWorkerRequest = z.strictObject({ ...deployFields, existing_deployment_namespace: z.string().min(1) });
export type AddWorkerRequest = z.infer<typeof AddWorkerRequest>;

/** `POST deployment/delete` */
export const DeleteDeploymentRequest = z.strictObject({
  cluster_id: theirClusterId,
  namespace: z.string().min(1),
  ...asynchronousFields,
});
export type DeleteDeploymentRequest = z.infer<typeof DeleteDeploymentRequest>;

/** `DELETE deployment/worker-info` (JSON body) */
export const DeleteWorkerRequest = z.strictObject({ worker_id: z.string().min(1), ...asynchronousFields });
export type DeleteWorkerRequest = z.infer<typeof DeleteWorkerRequest>;

/** `POST deployment/deploy-adapter` */
export const DeployAdapterRequest = z.strictObject({
  endpoint_name: z.string().min(1),
  ingress_url: z.string(),
  adapter_path: z.string(),
  adapter_name: z.string(),
  adapters: z.array(z.looseObject({})),
  namespace: z.string().min(1),
  cluster_id: theirClusterId,
  action: z.enum(['add', 'delete']),
  adapter_id: z.string().nullable().optional(),
  ...asynchronousFields,
});
export type DeployAdapterRequest = z.infer<typeof DeployAdapterRequest>;

/** The JSON text in the form field `cluster_create_request` of `POST cluster`. */
export const ClusterCreateRequest = z.strictObject({
  enable_master_node: z.boolean(),
  name: z.string().min(1),
  ingress_url: z.string(),
  cluster_type: z.enum(['ON_PREM', 'CLOUD']),
  credential_id: z.string().nullable().optional(),
  provider_id: z.string().nullable().optional(),
  region: z.string().nullable().optional(),
  ...asynchronousFields,
});
export type ClusterCreateRequest = z.infer<typeof ClusterCreateRequest>;

/** Both form fields of `POST cluster`; `configuration` is the text of the kubeconfig file. */
export const RegisterClusterRequest = z.strictObject({
  cluster_create_request: ClusterCreateRequest,
  configuration: z.string(),
});
export type RegisterClusterRequest = z.infer<typeof RegisterClusterRequest>;

/** `POST cluster/delete` */
export const DeleteClusterRequest = z.strictObject({
  cluster_id: theirClusterId,
  cluster_type: z.enum(['ON_PREM', 'CLOUD']),
  ...asynchronousFields,
});
export type DeleteClusterRequest = z.infer<typeof DeleteClusterRequest>;

/** `PATCH cluster/<id>` */
export const EditClusterRequest = z.strictObject({ cluster_id: theirClusterId, ingress_url: z.string() });

/** `POST cluster/update-node-status` and the reads that name a cluster. */
export const ClusterReference = z.strictObject({ cluster_id: theirClusterId });

/** `POST deployment/cancel/<id>` and `POST cluster/cancel/<id>`: the service's own workflow id. */
export const CancelRequest = z.strictObject({ workflow_id: theirId });

/** `PUT deployment/autoscale` */
export const AutoscaleRequest = z.strictObject({
  cluster_id: theirClusterId,
  namespace: z.string().min(1),
  release_name: z.string().min(1),
  budaiscaler: BudAiScaler,
  engine_type: z.string().min(1),
});
export type AutoscaleRequest = z.infer<typeof AutoscaleRequest>;

/** `GET deployment/worker-info` */
export const ListWorkersRequest = z.strictObject({
  cluster_id: theirClusterId,
  namespace: z.string().min(1),
  /** true: the service asks the cluster again instead of answering what it remembers. */
  refresh: z.boolean().optional(),
  page: z.int().positive().optional(),
  limit: z.int().positive().optional(),
});

/** `GET deployment/worker-info/<id>` and below. */
export const WorkerReference = z.strictObject({ worker_id: theirId });

const figure = z.union([z.number(), z.string()]).nullish();

/** One replica as the cluster reports it. Only the local cluster reports `pid`. */
export const ReportedWorker = z.looseObject({
  id: z.string().nullish(),
  name: z.string().nullish(),
  status: z.string().nullish(),
  node_name: z.string().nullish(),
  device_name: z.string().nullish(),
  utilization: figure,
  hardware: z.string().nullish(),
  uptime: figure,
  node_ip: z.string().nullish(),
  cores: figure,
  memory: figure,
  deployment_status: z.string().nullish(),
  concurrency: figure,
  pid: z.number().nullish(),
});
export type ReportedWorker = z.infer<typeof ReportedWorker>;

/** A page of workers. */
export const WorkersAnswer = z.looseObject({ workers: z.array(ReportedWorker) });

/** One worker, bare or under `worker`; parsed to the bare one. */
export const WorkerAnswer = z.union([
  z.looseObject({ worker: ReportedWorker }).transform((answer) => answer.worker),
  ReportedWorker.extend({ id: z.string() }),
]);

/** The last lines that the worker wrote, as a list or as one text; parsed to a list. */
export const WorkerLogsAnswer = z.looseObject({
  logs: z.union([z.array(z.string()), z.string().transform((text) => text.split('\n'))]),
});

/** One kind of device of a node. `mem_per_GPU_in_GB` and the like pass through. */
const Device = z.looseObject({
  type: z.string(),
  name: z.string().nullish(),
  available_count: z.number().nullish(),
  total_count: z.number().nullish(),
  cores: z.number().nullish(),
  memory_mib: z.number().nullish(),
});

/** A node of a cluster. The local cluster adds what is free of it: `free: { cpu_millis, memory_mib }`. */
export const ReportedNode = z.looseObject({
  id: z.string().nullish(),
  name: z.string(),
  /** true and `Ready` both occur. */
  status: z.union([z.boolean(), z.string()]).nullish(),
  devices: z.array(Device).nullish(),
  capacity: z.looseObject({ cpu_millis: z.number().nullish(), memory_mib: z.number().nullish() }).nullish(),
  free: z.looseObject({ cpu_millis: z.number().nullish(), memory_mib: z.number().nullish() }).nullish(),
});
export type ReportedNode = z.infer<typeof ReportedNode>;

/** Nodes at the top or under `param`; parsed to `{ nodes }`. */
export const NodesAnswer = z.union([
  z.looseObject({ nodes: z.array(ReportedNode) }),
  z.looseObject({ param: z.looseObject({ nodes: z.array(ReportedNode) }) }).transform((answer) => answer.param),
]);

/** The health of a cluster. Which fields there are depends on the kind of cluster. */
export const HealthAnswer = z.looseObject({ status: z.string().nullish(), message: z.string().nullish() });

/** An answer whose body BudApp does not read. */
export const PlainAnswer = z.looseObject({ message: z.string().nullish() });

/** The status says whether the workflow has stopped (200) or is about to (202). The body does not. */
export const CancelAnswer = z.looseObject({ message: z.string().nullish() });
