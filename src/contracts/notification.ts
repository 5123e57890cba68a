import { z } from 'zod';
import { ReportedNode, ReportedWorker } from './budcluster.ts';
import { ModelInfo } from './budmodel.ts';
import { Recommendation } from './budsim.ts';

/** The state of a step. */
export const ReportedStepStatus = z.enum(['STARTED', 'RUNNING', 'COMPLETED', 'FAILED']);
export type ReportedStepStatus = z.infer<typeof ReportedStepStatus>;

/** The part of a message that BudApp reads. `event` is a step id, `eta` or `results`. */
export const NotificationPayload = z.looseObject({
  category: z.string().nullish(),
  type: z.string().min(1),
  event: z.string().min(1),
  /** BudApp's id of the workflow; absent in status updates, which belong to no workflow. */
  workflow_id: z.string().nullish(),
  source: z.string().nullish(),
  content: z.looseObject({
    title: z.string().nullish(),
    message: z.string().nullish(),
    status: z.string().nullish(),
    result: z.unknown().optional(),
    primary_action: z.unknown().optional(),
  }),
});
export type NotificationPayload = z.infer<typeof NotificationPayload>;

/**
 * A message as the sidecar delivers it: CloudEvents JSON with the publisher's own fields at the top. `id` is new at
 * every publish, so it identifies nothing. Some bodies have no payload: they are the services' own workflow metadata.
 */
export const Notification = z.looseObject({
  specversion: z.string().nullish(),
  id: z.string().nullish(),
  type: z.string().nullish(),
  source_topic: z.string().nullish(),
  notification_type: z.string().nullish(),
  name: z.string().nullish(),
  subscriber_ids: z.union([z.string(), z.array(z.string())]).nullish(),
  payload: NotificationPayload.nullish(),
});
export type Notification = z.infer<typeof Notification>;

/** What a message that is malformed otherwise still says: which workflow it is about. */
export const NotificationAddress = z.looseObject({
  id: z.string().nullish().catch(null),
  payload: z.looseObject({
    category: z.unknown().optional(),
    workflow_id: z.string(),
    source: z.string().nullish().catch(null),
  }),
});
export type NotificationAddress = z.infer<typeof NotificationAddress>;

/** BudApp's answer to a message, which tells the sidecar whether to deliver it again. */
export const DeliveryAnswer = z.looseObject({ status: z.enum(['SUCCESS', 'RETRY', 'DROP']) });
export type DeliveryAnswer = z.infer<typeof DeliveryAnswer>;

/** The numbers of a deployment's replicas, by state. */
export const ReportedReplicaCounts = z.looseObject({
  total: z.number().nullish(),
  available: z.number().nullish(),
  failed: z.number().nullish(),
  pending: z.number().nullish(),
  status: z.string().nullish(),
  reason: z.string().nullish(),
});
export type ReportedReplicaCounts = z.infer<typeof ReportedReplicaCounts>;

/** A list of paths, or an object whose keys with the value true are the paths. */
const supportedEndpoints = z.union([z.array(z.string()), z.record(z.string(), z.unknown())]).nullish();

/** `ready, pending, ingress_failed, endpoints_failed, failed, error` all occur. */
export const DeploymentStatus = z.looseObject({
  status: z.string(),
  ingress_health: z.boolean().nullish(),
  supported_endpoints: supportedEndpoints,
  replicas: ReportedReplicaCounts.nullish(),
  worker_data_list: z.array(ReportedWorker).nullish(),
});
export type DeploymentStatus = z.infer<typeof DeploymentStatus>;

/** Result of a deployment. `namespace` names it on the cluster from now on; `result.deployment_url` serves it. */
export const DeploymentResult = z.looseObject({
  workflow_id: z.string().nullish(),
  cluster_id: z.string().nullish(),
  simulator_id: z.string().nullish(),
  namespace: z.string(),
  result: z
    .looseObject({
      deployment_url: z.string().nullish(),
      mean_ttft_ms: z.number().nullish(),
      mean_tpot_ms: z.number().nullish(),
    })
    .nullish(),
  performance_status: z.boolean().nullish(),
  benchmark_status: z.boolean().nullish(),
  number_of_nodes: z.number().nullish(),
  deploy_config: z
    .array(
      z.looseObject({
        name: z.string().nullish(),
        type: z.string().nullish(),
        tp_size: z.number().nullish(),
        replicas: z.number().nullish(),
        engine_type: z.string().nullish(),
      }),
    )
    .nullish(),
  supported_endpoints: supportedEndpoints,
  deployment_status: DeploymentStatus.nullish(),
});
export type DeploymentResult = z.infer<typeof DeploymentResult>;

/** Result of a registration: `id` is the cluster service's id of the cluster. */
export const RegisteredCluster = z.looseObject({ id: z.string(), nodes: z.array(ReportedNode).nullish() });

/** The current state of a cluster and its nodes; belongs to no workflow. */
export const ClusterStatusUpdate = z.looseObject({
  cluster_id: z.string(),
  status: z.string(),
  node_info: z.looseObject({ id: z.string().nullish(), nodes: z.array(ReportedNode).nullish() }).nullish(),
});

/** The current state of a deployment; belongs to no workflow. `deployment_name` is the namespace. */
export const DeploymentStatusUpdate = DeploymentStatus.extend({
  deployment_name: z.string(),
  cluster_id: z.string().nullish(),
});
export type DeploymentStatusUpdate = z.infer<typeof DeploymentStatusUpdate>;

/** The findings of a security scan. `model_issues` are not read further. */
export const ScanResult = z.looseObject({
  total_issues: z.number().nullish(),
  total_scanned: z.number().nullish(),
  scanned_files: z.union([z.array(z.string()), z.number()]).nullish(),
  total_issues_by_severity: z.record(z.string(), z.number()).nullish(),
  model_issues: z.array(z.looseObject({})).nullish(),
});
export type ScanResult = z.infer<typeof ScanResult>;

const nothing = z.unknown();

/**
 * The schema of `content.result`, by `payload.type`, in the message that carries the result. It is null where the work
 * failed.
 */
export const resultSchemas = {
  get_cluster_recommendations: z.looseObject({
    workflow_id: z.string().nullish(),
    recommendations: z.array(Recommendation),
  }),
  deploy_model: DeploymentResult,
  add_worker: DeploymentResult,
  performance_benchmark: DeploymentResult.extend({ namespace: z.string().nullish() }),
  delete_deployment: nothing,
  delete_cluster: nothing,
  delete_worker: z.looseObject({ worker_data_list: z.array(ReportedWorker).nullish() }),
  add_adapter: z.looseObject({ deployment_name: z.string() }),
  delete_adapter: z.looseObject({ adapter_id: z.string() }),
  register_cluster: RegisteredCluster,
  perform_model_extraction: z.looseObject({ model_info: ModelInfo, local_path: z.string().nullish() }),
  perform_model_security_scan: z.looseObject({ scan_result: ScanResult }),
  'cluster-status-update': ClusterStatusUpdate,
  'deployment-status-update': DeploymentStatusUpdate,
} as const;

export type ResultType = keyof typeof resultSchemas;
export type ResultOf<Type extends ResultType> = z.output<(typeof resultSchemas)[Type]>;

export const isResultType = (type: string): type is ResultType => Object.hasOwn(resultSchemas, type);

const schemaByType: { [Type in ResultType]: z.ZodType<ResultOf<Type>> } = resultSchemas;

/**
 * The result of a message, parsed; null where it is missing or cannot be read (the work failed, or the service errs).
 */
export const parseResult = <Type extends ResultType>(type: Type, result: unknown): ResultOf<Type> | null => {
  if (result === null || result === undefined) return null;
  const parsed = schemaByType[type].safeParse(result);
  return parsed.success ? parsed.data : null;
};
