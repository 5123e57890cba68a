import type { z } from 'zod';
import { WorkflowMetadata } from './asynchronous.ts';
import * as cluster from './budcluster.ts';
import * as metrics from './budmetrics.ts';
import * as model from './budmodel.ts';
import * as simulator from './budsim.ts';
import { type CallRequest, call } from './call.ts';
import * as notify from './notify.ts';

const segment = encodeURIComponent;
const whole = <Input>(input: Input): Input => input;

// An asynchronous call is only accepted, not done, when it is answered; reads are short, and cancelling may wait a moment.
const accepting = { timeout_ms: 30_000, asynchronous: true, answer: WorkflowMetadata } as const;
const reading = { timeout_ms: 10_000, asynchronous: false } as const;
const changing = { timeout_ms: 30_000, asynchronous: false } as const;

/** Every operation of another service that BudApp uses, by name. */
export const calls = {
  'simulator.run': call({
    ...accepting,
    app_id: simulator.BUDSIM,
    method: 'POST',
    path: () => 'simulator/run',
    input: simulator.RunSimulationRequest,
    body: whole,
  }),
  'simulator.recommendations': call({
    ...reading,
    app_id: simulator.BUDSIM,
    method: 'GET',
    path: () => 'simulator/recommendations',
    input: simulator.RecommendationsRequest,
    query: whole,
    answer: simulator.RecommendationsAnswer,
  }),

  'cluster.register': call({
    ...accepting,
    app_id: cluster.BUDCLUSTER,
    method: 'POST',
    path: () => 'cluster',
    input: cluster.RegisterClusterRequest,
    multipart: (input) => ({
      cluster_create_request: { value: JSON.stringify(input.cluster_create_request) },
      configuration: { value: input.configuration, file_name: 'kubeconfig.yaml' },
    }),
  }),
  'cluster.delete': call({
    ...accepting,
    app_id: cluster.BUDCLUSTER,
    method: 'POST',
    path: () => 'cluster/delete',
    input: cluster.DeleteClusterRequest,
    body: whole,
  }),
  'cluster.edit': call({
    ...changing,
    app_id: cluster.BUDCLUSTER,
    method: 'PATCH',
    path: (input) => `cluster/${segment(input.cluster_id)}`,
    input: cluster.EditClusterRequest,
    body: (input) => ({ ingress_url: input.ingress_url }),
    answer: cluster.PlainAnswer,
  }),
  'cluster.cancel': call({
    ...changing,
    app_id: cluster.BUDCLUSTER,
    method: 'POST',
    path: (input) => `cluster/cancel/${segment(input.workflow_id)}`,
    input: cluster.CancelRequest,
    answer: cluster.CancelAnswer,
  }),
  'cluster.update-node-status': call({
    ...changing,
    app_id: cluster.BUDCLUSTER,
    method: 'POST',
    path: () => 'cluster/update-node-status',
    input: cluster.ClusterReference,
    body: whole,
    answer: cluster.PlainAnswer,
  }),
  'cluster.nodes': call({
    ...reading,
    app_id: cluster.BUDCLUSTER,
    method: 'GET',
    path: (input) => `cluster/${segment(input.cluster_id)}/nodes`,
    input: cluster.ClusterReference,
    answer: cluster.NodesAnswer,
  }),
  'cluster.health': call({
    ...reading,
    app_id: cluster.BUDCLUSTER,
    method: 'GET',
    path: (input) => `cluster/${segment(input.cluster_id)}/health`,
    input: cluster.ClusterReference,
    answer: cluster.HealthAnswer,
  }),

  'cluster.deploy': call({
    ...accepting,
    app_id: cluster.BUDCLUSTER,
    method: 'POST',
    path: () => 'deployment',
    input: cluster.DeployRequest,
    body: whole,
  }),
  'cluster.add-worker': call({
    ...accepting,
    app_id: cluster.BUDCLUSTER,
    method: 'POST',
    path: () => 'deployment',
    input: cluster.AddWorkerRequest,
    body: whole,
  }),
  'cluster.delete-deployment': call({
    ...accepting,
    app_id: cluster.BUDCLUSTER,
    method: 'POST',
    path: () => 'deployment/delete',
    input: cluster.DeleteDeploymentRequest,
    body: whole,
  }),
  'cluster.cancel-deployment': call({
    ...changing,
    app_id: cluster.BUDCLUSTER,
    method: 'POST',
    path: (input) => `deployment/cancel/${segment(input.workflow_id)}`,
    input: cluster.CancelRequest,
    answer: cluster.CancelAnswer,
  }),
  'cluster.autoscale': call({
    ...changing,
    app_id: cluster.BUDCLUSTER,
    method: 'PUT',
    path: () => 'deployment/autoscale',
    input: cluster.AutoscaleRequest,
    body: whole,
    answer: cluster.PlainAnswer,
  }),
  'cluster.deploy-adapter': call({
    ...accepting,
    app_id: cluster.BUDCLUSTER,
    method: 'POST',
    path: () => 'deployment/deploy-adapter',
    input: cluster.DeployAdapterRequest,
    body: whole,
  }),

  'cluster.delete-worker': call({
    ...accepting,
    app_id: cluster.BUDCLUSTER,
    method: 'DELETE',
    path: () => 'deployment/worker-info',
    input: cluster.DeleteWorkerRequest,
    body: whole,
  }),
  'cluster.list-workers': call({
    ...reading,
    app_id: cluster.BUDCLUSTER,
    method: 'GET',
    path: () => 'deployment/worker-info',
    input: cluster.ListWorkersRequest,
    query: whole,
    answer: cluster.WorkersAnswer,
  }),
  'cluster.get-worker': call({
    ...reading,
    app_id: cluster.BUDCLUSTER,
    method: 'GET',
    path: (input) => `deployment/worker-info/${segment(input.worker_id)}`,
    input: cluster.WorkerReference,
    answer: cluster.WorkerAnswer,
  }),
  'cluster.worker-logs': call({
    ...reading,
    app_id: cluster.BUDCLUSTER,
    method: 'GET',
    path: (input) => `deployment/worker-info/${segment(input.worker_id)}/logs`,
    input: cluster.WorkerReference,
    answer: cluster.WorkerLogsAnswer,
  }),

  'model.extract': call({
    ...accepting,
    app_id: model.BUDMODEL,
    method: 'POST',
    path: () => 'model-info/extract',
    input: model.ExtractModelRequest,
    body: whole,
  }),
  'model.scan': call({
    ...accepting,
    app_id: model.BUDMODEL,
    method: 'POST',
    path: () => 'model-info/scan',
    input: model.ScanModelRequest,
    body: whole,
  }),
  'model.extract-cloud': call({
    ...changing,
    app_id: model.BUDMODEL,
    method: 'POST',
    path: () => 'model-info/cloud-model/extract',
    input: model.ExtractCloudModelRequest,
    body: whole,
    answer: model.CloudModelAnswer,
  }),
  'model.delete-files': call({
    ...changing,
    app_id: model.BUDMODEL,
    method: 'DELETE',
    path: () => 'model-info/local-models',
    input: model.DeleteModelFilesRequest,
    query: whole,
    answer: model.DeleteModelFilesAnswer,
  }),

  'metrics.aggregated': call({
    ...reading,
    app_id: metrics.BUDMETRICS,
    method: 'POST',
    path: () => 'observability/metrics/aggregated',
    input: metrics.AggregatedMetricsRequest,
    body: whole,
    answer: metrics.AggregatedMetricsAnswer,
  }),
  'metrics.time-series': call({
    ...reading,
    app_id: metrics.BUDMETRICS,
    method: 'POST',
    path: () => 'observability/metrics/time-series',
    input: metrics.TimeSeriesRequest,
    body: whole,
    answer: metrics.TimeSeriesAnswer,
  }),
  'metrics.analytics': call({
    ...reading,
    app_id: metrics.BUDMETRICS,
    method: 'POST',
    path: () => 'observability/analytics',
    input: metrics.TimeSeriesRequest,
    body: whole,
    answer: metrics.AnalyticsAnswer,
  }),

  'notify.send': call({
    ...changing,
    app_id: notify.NOTIFY,
    method: 'POST',
    path: () => 'notifications',
    input: notify.NoticeRequest,
    body: whole,
    answer: notify.NoticeAnswer,
  }),
} as const;

type Calls = typeof calls;
export type CallName = keyof Calls;
export type CallInput<Name extends CallName> = z.input<Calls[Name]['input']>;
export type CallAnswer<Name extends CallName> = ReturnType<Calls[Name]['parseAnswer']>;

export const isCallName = (name: string): name is CallName => Object.hasOwn(calls, name);

/** The request to send. Throws `ZodError` where the input breaks the contract. */
export const toRequest = <Name extends CallName>(name: Name, input: CallInput<Name>): CallRequest =>
  calls[name].toRequest(input);

const parsers: { [Name in CallName]: { parseAnswer(answer: unknown): CallAnswer<Name> } } = calls;

/** The answer as the contract describes it. Throws `ZodError` where it cannot be read so. */
export const parseAnswer = <Name extends CallName>(name: Name, answer: unknown): CallAnswer<Name> =>
  parsers[name].parseAnswer(answer);
