import { sql } from 'slonik';
import { z } from 'zod';
import { TenantId } from '../../events/ids.ts';
import { ClusterRow } from '../clusters.ts';
import { EndpointRow } from '../endpoints.ts';
import type { ReadPool } from './read-pool.ts';

const WatchedCluster = z.object({
  id: z.uuid(),
  tenant_id: TenantId,
  bud_cluster_id: z.string(),
  status: ClusterRow.shape.status,
  reason: ClusterRow.shape.reason,
  nodes: ClusterRow.shape.nodes,
});
export type WatchedCluster = z.output<typeof WatchedCluster>;

const WatchedEndpoint = z.object({
  id: z.uuid(),
  tenant_id: TenantId,
  cluster_id: z.uuid(),
  namespace: z.string(),
  status: EndpointRow.shape.status,
  reason: EndpointRow.shape.reason,
  deadline: z.string().nullable(),
  desired: z.looseObject({ replicas: z.int() }),
  observed: EndpointRow.shape.observed,
});
export type WatchedEndpoint = z.output<typeof WatchedEndpoint>;

/** The clusters and endpoints of all tenants whose status follows from reports, not from a change under way. */
export const listWatched = async (pool: ReadPool) => ({
  clusters: await pool.any(sql.type(WatchedCluster)`
    select id, tenant_id, bud_cluster_id, status, reason, nodes from clusters
    where status in ('available', 'unavailable') and bud_cluster_id is not null
  `),
  endpoints: await pool.any(sql.type(WatchedEndpoint)`
    select id, tenant_id, cluster_id, namespace, status, reason, deadline, desired, observed from endpoints
    where status in ('running', 'degraded', 'unknown') and namespace is not null and cluster_id is not null
  `),
});
