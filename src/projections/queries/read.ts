import { sql } from 'slonik';
import { z } from 'zod';
import type { Fact } from '../../events/catalog.ts';
import { Position } from '../../events/event.ts';
import type { TenantId, UserId } from '../../events/ids.ts';
import type { AuditRow } from '../audit-log.ts';
import { type ClusterRow, clusters } from '../clusters.ts';
import { type EndpointRow, endpoints } from '../endpoints.ts';
import type { Projection } from '../projection.ts';
import { findAccess, type UserAccess } from './access-query.ts';
import { type AuditPage, type AuditQuery, findAuditEvent, listAuditEvents } from './audit-query.ts';
import { createFreshness, type Positions } from './freshness.ts';
import { createFindNamesakes, type FindNamesakes } from './namesakes-query.ts';
import type { ReadPool } from './read-pool.ts';
import { columnsOf, findRow, type ListQuery, listRows, type Page } from './row-queries.ts';
import { rowSchemaOf, type Stamped } from './row-schema.ts';
import { listWatched, type WatchedCluster, type WatchedEndpoint } from './watched-query.ts';

/** The queries of the read models. Every returned row has been validated with its schema. */
export interface ReadModels {
  /** Null where the tenant has no such row; a deleted one is found, with its status. */
  find<Row extends object, F extends Fact>(
    projection: Projection<Row, F>,
    query: { tenant_id: TenantId; id: string },
  ): Promise<Stamped<Row> | null>;
  /** Throws `Rejected` `invalid`: `unknown-filter`, `invalid-filter`, `unknown-sort`, `invalid-cursor`. */
  list<Row extends object, F extends Fact>(
    projection: Projection<Row, F>,
    query: ListQuery,
  ): Promise<Page<Stamped<Row>>>;
  /**
   * Throws `Rejected` `unavailable`, code `read-model-behind`, where one of them has not reached `position` in time.
   */
  waitFor(names: readonly string[], position: Position, options: { timeout_ms: number }): Promise<void>;
  /** Null where the user is not in the read model, or not yet. */
  findAccess(query: { tenant_id: TenantId; user_id: UserId }): Promise<UserAccess | null>;
  /** The endpoints that still use a project, model or cluster, oldest first. */
  listLiveEndpoints(query: {
    tenant_id: TenantId;
    area: 'project' | 'model' | 'cluster';
    id: string;
  }): Promise<readonly Stamped<EndpointRow>[]>;
  /** Finds by the cluster service's handle, in any tenant: for messages of services. */
  findEndpointByNamespace(namespace: string): Promise<Stamped<EndpointRow> | null>;
  /** Finds by the cluster service's id, in any tenant: for messages of services. */
  findClusterByBudId(budClusterId: string): Promise<Stamped<ClusterRow> | null>;
  /** What the cluster service is asked about, in all tenants. */
  listWatched(): Promise<{ clusters: readonly WatchedCluster[]; endpoints: readonly WatchedEndpoint[] }>;
  /** Those whose name was given while its key was another one, though it has the same key now; newest first. */
  findNamesakes: FindNamesakes;
  listAuditEvents(query: AuditQuery): Promise<AuditPage>;
  findAuditEvent(query: { tenant_id: TenantId; position: Position }): Promise<AuditRow | null>;
  /** The position of each read model. */
  positions(): Promise<Positions>;
}

const Checkpoint = z.object({ name: z.string(), position: Position.nullable() });
const AREA_COLUMNS = { project: 'project_id', model: 'model_id', cluster: 'cluster_id' } as const;

/** The queries of the API and the processes, over a pool of `createReadPool`. */
export const createReadModels = ({ pool }: { pool: ReadPool }): ReadModels => {
  const endpointRow = sql.type(rowSchemaOf<EndpointRow>(endpoints));
  const clusterRow = sql.type(rowSchemaOf<ClusterRow>(clusters));

  const positions = async (): Promise<Positions> => {
    const rows = await pool.any(sql.type(Checkpoint)`select name, position from projections`);
    return new Map(rows.map(({ name, position }) => [name, position]));
  };
  const { waitFor } = createFreshness({ readPositions: positions });

  return {
    find: (projection, query) => findRow(pool, projection, query),
    list: (projection, query) => listRows(pool, projection, query),
    waitFor,
    findAccess: (query) => findAccess(pool, query),
    // An endpoint whose deletion failed may still use capacity on the cluster.
    listLiveEndpoints: ({ tenant_id, area, id }) =>
      pool.any(endpointRow`
        select ${columnsOf(endpoints)} from endpoints
        where tenant_id = ${tenant_id} and ${sql.identifier([AREA_COLUMNS[area]])} = ${id}
          and (status not in ('failed', 'cancelled', 'deleted') or (status = 'failed' and rollout ->> 'kind' = 'delete'))
        order by created_at, id
      `),
    findEndpointByNamespace: (namespace) =>
      pool.maybeOne(endpointRow`
        select ${columnsOf(endpoints)} from endpoints where namespace = ${namespace}
        order by (status = 'deleted'), created_at desc limit 1
      `),
    findClusterByBudId: (budClusterId) =>
      pool.maybeOne(clusterRow`
        select ${columnsOf(clusters)} from clusters where bud_cluster_id = ${budClusterId}
        order by (status = 'deleted'), created_at desc limit 1
      `),
    listWatched: () => listWatched(pool),
    findNamesakes: createFindNamesakes(pool),
    listAuditEvents: (query) => listAuditEvents(pool, query),
    findAuditEvent: (query) => findAuditEvent(pool, query),
    positions,
  };
};
