import { z } from 'zod';
import { capacityOf, NO_CAPACITY } from '../events/capacity.ts';
import type { ClusterFact } from '../events/catalog.ts';
import { ClusterType } from '../events/cluster-events.ts';
import { EndpointId, WorkflowId } from '../events/ids.ts';
import { withoutUserInfo } from '../events/user-info.ts';
import { Balance, ClusterNode, Reason, Resources } from '../events/values.ts';
import { projection } from './projection.ts';

export const ClusterStatus = z.enum(['registering', 'available', 'unavailable', 'error', 'deleting', 'deleted']);

/** The row of a cluster. The kubeconfig is deliberately not part of it: only the command that needs it opens it. */
export const ClusterRow = z.object({
  name: z.string(),
  cluster_type: ClusterType,
  ingress_url: z.string(),
  /** The cluster service's id; null until the cluster is registered there. */
  bud_cluster_id: z.string().nullable(),
  /** The workflow of the registration or, later, of the deletion. */
  workflow_id: WorkflowId,
  nodes: z.array(ClusterNode),
  /** The reservation of each endpoint, for all its replicas together. */
  reservations: z.record(EndpointId, z.object({ replicas: z.int(), resources: Resources })),
  /**
   * `total` counts ready nodes only; `free` is what is left of it. `nodes`: what is free on each ready node once the
   * reserved replicas are laid out, since a replica must fit on one node.
   */
  capacity: z.object({
    total: Resources,
    reserved: Resources,
    free: Balance,
    nodes: z.array(z.object({ name: z.string(), free: Resources })).default([]),
  }),
  status: ClusterStatus,
  reason: Reason.nullable(),
  /** When the cluster got its status. */
  since: z.string(),
  /** When a status that is not final must have ended; null for a final status. */
  deadline: z.string().nullable(),
});
export type ClusterRow = z.output<typeof ClusterRow>;

const withCapacity = (row: ClusterRow): ClusterRow => ({ ...row, capacity: capacityOf(row) });

/** The current state of clusters: `cluster` in design.md, "State machines". */
export const clusters = projection<ClusterRow, ClusterFact, 'ClusterRegistrationRequested'>({
  name: 'clusters',
  area: 'cluster',
  version: 2,
  row: ClusterRow,
  name_kind: 'cluster',
  on: {
    ClusterRegistrationRequested: (_row, { data, at }) => ({
      name: data.name,
      cluster_type: data.cluster_type,
      ingress_url: withoutUserInfo(data.ingress_url),
      bud_cluster_id: null,
      workflow_id: data.workflow_id,
      nodes: [],
      reservations: {},
      capacity: NO_CAPACITY,
      status: 'registering',
      reason: { code: 'registering-cluster', message: 'The cluster service is connecting to the cluster.' },
      since: at,
      deadline: data.deadline,
    }),
    ClusterRegistered: (row, { data, at }) =>
      withCapacity({
        ...row,
        bud_cluster_id: data.bud_cluster_id,
        nodes: data.nodes,
        status: 'available',
        reason: null,
        since: at,
        deadline: null,
      }),
    ClusterRegistrationFailed: (row, { data, at }) => ({
      ...row,
      status: 'error',
      reason: data.reason,
      since: at,
      deadline: null,
    }),
    ClusterRenamed: (row, { data }) => ({ ...row, name: data.name }),
    ClusterIngressChanged: (row, { data }) => ({ ...row, ingress_url: withoutUserInfo(data.ingress_url) }),
    ClusterBecameAvailable: (row, { data, at }) =>
      withCapacity({ ...row, nodes: data.nodes, status: 'available', reason: null, since: at, deadline: null }),
    ClusterBecameUnavailable: (row, { data, at }) => ({
      ...row,
      status: 'unavailable',
      reason: data.reason,
      since: at,
      deadline: data.deadline,
    }),
    ClusterRecoveryOverdue: (row, { data }) => ({ ...row, reason: data.reason, deadline: data.deadline }),
    ClusterReregistrationRequested: (row, { data }) => ({ ...row, reason: data.reason }),
    ClusterReregistered: (row, { data }) =>
      withCapacity({ ...row, bud_cluster_id: data.bud_cluster_id, nodes: data.nodes }),
    ClusterReregistrationFailed: (row, { data }) => ({ ...row, reason: data.reason }),
    ClusterNodesChanged: (row, { data }) => withCapacity({ ...row, nodes: data.nodes }),
    CapacityReserved: (row, { data }) =>
      withCapacity({
        ...row,
        reservations: {
          ...row.reservations,
          [data.endpoint_id]: { replicas: data.replicas, resources: data.resources },
        },
      }),
    CapacityReleased: (row, { data }) => {
      const { [data.endpoint_id]: _released, ...reservations } = row.reservations;
      return withCapacity({ ...row, reservations });
    },
    ClusterDeletionRequested: (row, { data, at }) => ({
      ...row,
      workflow_id: data.workflow_id,
      status: 'deleting',
      reason: data.ends
        ? { code: 'ending-change', message: 'The registration that is under way is ended first.' }
        : { code: 'deleting', message: 'The cluster service is removing the cluster.' },
      since: at,
      deadline: data.deadline,
    }),
    ClusterRegistrationEnded: (row) => ({
      ...row,
      reason: { code: 'deleting', message: 'The registration is over; the cluster service is removing the cluster.' },
    }),
    ClusterDeletionCancelled: (row, { at }) => ({
      ...row,
      status: 'available',
      reason: null,
      since: at,
      deadline: null,
    }),
    ClusterCleanupPending: (row, { data, at }) => ({
      ...row,
      ...(row.status === 'deleting' ? {} : { status: 'deleting', since: at }),
      reason: data.reason,
      deadline: data.deadline,
    }),
    ClusterDeletionFailed: (row, { data, at }) => ({
      ...row,
      status: 'error',
      reason: data.reason,
      since: at,
      deadline: null,
    }),
    ClusterDeleted: (row, { at }) => ({ ...row, status: 'deleted', reason: null, since: at, deadline: null }),
  },
});
