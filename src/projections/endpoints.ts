import { z } from 'zod';
import type { EndpointFact } from '../events/catalog.ts';
import { ClusterId, ModelId, ProjectId, WorkflowId } from '../events/ids.ts';
import { DeployConfig, PlacementCandidate, Reason, ReplicaCounts, Resources, Worker } from '../events/values.ts';
import { projection } from './projection.ts';
import { scaledTo, scalingText } from './scaling-state.ts';

export const EndpointStatus = z.enum([
  'pending',
  'placing',
  'deploying',
  'running',
  'degraded',
  'unknown',
  'updating',
  'stopped',
  'deleting',
  'deleted',
  'failed',
  'cancelled',
]);

export const EndpointRow = z.object({
  project_id: ProjectId,
  project_name: z.string(),
  model_id: ModelId,
  model_name: z.string(),
  name: z.string(),
  status: EndpointStatus,
  reason: Reason.nullable(),
  /** When the endpoint got its status. */
  since: z.string(),
  /** When a status that is not final must have ended; null for a final status. */
  deadline: z.string().nullable(),
  cluster_id: ClusterId.nullable(),
  cluster_name: z.string().nullable(),
  url: z.string().nullable().meta({
    description:
      'Where the model is called. On the local cluster: the Open Inference Protocol v2 with binary_tensor_data; JSON carries "NaN", "Infinity" and "-Infinity" as texts, and 64-bit integers beyond 2^53 as texts of digits',
  }),
  /** The cluster service's handle for what it created for the endpoint. */
  namespace: z.string().nullable(),
  bud_cluster_id: z.string().nullable(),
  supported_endpoints: z.array(z.string()),
  /** The desired state. */
  desired: z.object({ replicas: z.int(), resources_per_replica: Resources, deploy_config: DeployConfig }),
  /** The observed state, as the cluster reports it. */
  observed: z
    .object({
      replicas: ReplicaCounts,
      ingress_healthy: z.boolean().nullable(),
      workers: z.array(Worker),
      at: z.string(),
      /** When the cluster last proved it, as far as the endpoint's own facts say; null where that is not known. */
      last_proof_at: z.string().nullable().default(null),
    })
    .nullable(),
  placement: z.object({ reasons: z.array(z.string()), candidates: z.array(PlacementCandidate) }).nullable(),
  /** The rollout of the current or last change. */
  rollout: z.object({
    kind: z.enum(['deploy', 'scale', 'repair', 'delete']),
    workflow_id: WorkflowId,
    status: z.enum(['running', 'succeeded', 'failed', 'cancelled']),
    reason: Reason.nullable(),
  }),
});
export type EndpointRow = z.output<typeof EndpointRow>;

type Observed = Pick<NonNullable<EndpointRow['observed']>, 'replicas' | 'ingress_healthy' | 'workers'>;

const observedAt = ({ replicas, ingress_healthy, workers }: Observed, at: string) => ({
  replicas,
  ingress_healthy,
  workers,
  at,
  last_proof_at: at,
});

const settled = (row: EndpointRow, status: 'succeeded' | 'failed' | 'cancelled', reason: Reason | null) => ({
  ...row.rollout,
  status,
  reason,
});

/** The end of a repair; it is not the current rollout where another change came in between. */
const repairEnded = (
  { rollout }: EndpointRow,
  workflow_id: string,
  end: Pick<EndpointRow['rollout'], 'status' | 'reason'>,
): EndpointRow['rollout'] => (rollout.workflow_id === workflow_id ? { ...rollout, ...end } : rollout);

/** Fields that are cleared once nothing runs: the last numbers would be wrong. */
const gone = { url: null, observed: null, deadline: null };

/** The current state of endpoints: `endpoint` in design.md, "State machines". */
export const endpoints = projection<EndpointRow, EndpointFact, 'EndpointRequested'>({
  name: 'endpoints',
  area: 'endpoint',
  version: 2,
  row: EndpointRow,
  name_kind: 'endpoint',
  on: {
    EndpointRequested: (_row, { data, at }) => ({
      project_id: data.project_id,
      project_name: data.project_name,
      model_id: data.model_id,
      model_name: data.model_name,
      name: data.name,
      status: 'pending',
      reason: {
        code: 'waiting-for-placement',
        message: 'The deployment was accepted and is waiting for its placement.',
      },
      since: at,
      deadline: data.deadline,
      cluster_id: data.cluster_id,
      cluster_name: null,
      url: null,
      namespace: null,
      bud_cluster_id: null,
      supported_endpoints: [],
      desired: {
        replicas: data.replicas,
        resources_per_replica: data.resources_per_replica,
        deploy_config: data.deploy_config,
      },
      observed: null,
      placement: null,
      rollout: { kind: 'deploy', workflow_id: data.workflow_id, status: 'running', reason: null },
    }),
    EndpointPlacementStarted: (row, { data, at }) => ({
      ...row,
      status: 'placing',
      reason: { code: 'asking-simulator', message: 'The simulator is ranking the clusters.' },
      since: at,
      deadline: data.deadline,
    }),
    EndpointPlaced: (row, { data, at }) => ({
      ...row,
      status: 'deploying',
      reason: { code: 'deploying-to-cluster', message: `Cluster ${data.cluster_name} is starting the replicas.` },
      since: at,
      deadline: data.deadline,
      cluster_id: data.cluster_id,
      cluster_name: data.cluster_name,
      bud_cluster_id: data.bud_cluster_id,
      placement: { reasons: data.reasons, candidates: data.candidates },
    }),
    EndpointDeployed: (row, { data, at }) => ({
      ...row,
      status: 'running',
      reason: null,
      since: at,
      deadline: null,
      url: data.url,
      namespace: data.namespace,
      supported_endpoints: data.supported_endpoints,
      observed: observedAt(data, at),
      rollout: settled(row, 'succeeded', null),
    }),
    EndpointReplicasReported: (row, { data, at }) => ({ ...row, observed: observedAt(data, at) }),
    EndpointDegraded: (row, { data, at }) => ({
      ...row,
      status: 'degraded',
      reason: data.reason,
      since: at,
      deadline: data.deadline,
      observed: observedAt(data, at),
    }),
    EndpointRecoveryOverdue: (row, { data }) => ({ ...row, reason: data.reason, deadline: data.deadline }),
    EndpointRecovered: (row, { data, at }) => ({
      ...row,
      ...scaledTo(row.desired.replicas, at),
      observed: observedAt(data, at),
    }),
    EndpointBecameUnknown: (row, { data, at }) => ({
      ...row,
      status: 'unknown',
      reason: data.reason,
      since: at,
      deadline: data.deadline,
      observed: row.observed && {
        ...row.observed,
        last_proof_at: data.last_proof_at ?? row.observed.last_proof_at ?? null,
      },
    }),
    EndpointReportOverdue: (row, { data }) => ({ ...row, reason: data.reason, deadline: data.deadline }),
    EndpointRepairRequested: (row, { data }) => ({
      ...row,
      rollout: { kind: 'repair', workflow_id: data.workflow_id, status: 'running', reason: null },
    }),
    EndpointRepaired: (row, { data, at }) => ({
      ...row,
      ...data.deployment,
      observed: observedAt(data, at),
      rollout: repairEnded(row, data.workflow_id, { status: 'succeeded', reason: null }),
    }),
    EndpointRepairFailed: (row, { data }) => ({
      ...row,
      rollout: repairEnded(row, data.workflow_id, { status: 'failed', reason: data.reason }),
    }),
    EndpointScalingRequested: (row, { data, at }) => ({
      ...row,
      status: 'updating',
      reason: { code: 'scaling', message: scalingText(data) },
      since: at,
      deadline: data.deadline,
      desired: { ...row.desired, replicas: data.replicas },
      rollout: { kind: 'scale', workflow_id: data.workflow_id, status: 'running', reason: null },
    }),
    EndpointScaled: (row, { data, at }) => ({
      ...row,
      ...scaledTo(row.desired.replicas, at),
      observed: observedAt(data, at),
      rollout: settled(row, 'succeeded', null),
    }),
    EndpointScalingFailed: (row, { data, at }) => ({
      ...row,
      ...scaledTo(data.replicas, at),
      desired: { ...row.desired, replicas: data.replicas },
      observed: data.observed ? observedAt(data.observed, at) : row.observed,
      rollout: settled(row, data.reason.code === 'cancelled' ? 'cancelled' : 'failed', data.reason),
    }),
    EndpointFailed: (row, { data, at }) => ({
      ...row,
      ...gone,
      status: 'failed',
      reason: data.reason,
      since: at,
      rollout: settled(row, 'failed', data.reason),
    }),
    EndpointCancelled: (row, { data, at }) => ({
      ...row,
      ...gone,
      status: 'cancelled',
      reason: data.reason,
      since: at,
      rollout: settled(row, 'cancelled', data.reason),
    }),
    EndpointDeletionRequested: (row, { data, at }) => ({
      ...row,
      status: 'deleting',
      reason: data.ends
        ? { code: 'ending-change', message: 'The change that is under way is ended first.' }
        : { code: 'deleting', message: 'The cluster is stopping the replicas.' },
      since: at,
      deadline: data.deadline,
      rollout: { kind: 'delete', workflow_id: data.workflow_id, status: 'running', reason: null },
    }),
    EndpointChangeEnded: (row) => ({
      ...row,
      reason: { code: 'deleting', message: 'The change is over; the cluster is stopping the replicas.' },
    }),
    EndpointDeletionCancelled: (row, { data, at }) => ({
      ...row,
      ...scaledTo(row.desired.replicas, at),
      rollout: settled(row, 'cancelled', data.reason),
    }),
    EndpointCleanupPending: (row, { data, at }) => {
      const isShown = row.status === 'updating' || row.status === 'deleting';
      return {
        ...row,
        ...(isShown ? {} : { status: 'deleting', since: at }),
        reason: data.reason,
        deadline: data.deadline,
      };
    },
    EndpointDeletionFailed: (row, { data, at }) => ({
      ...row,
      status: 'failed',
      reason: data.reason,
      since: at,
      deadline: null,
      rollout: settled(row, 'failed', data.reason),
    }),
    EndpointDeleted: (row, { at }) => ({
      ...row,
      ...gone,
      status: 'deleted',
      reason: null,
      since: at,
      rollout: settled(row, 'succeeded', null),
    }),
  },
});
