import { type FragmentSqlToken, sql } from 'slonik';
import type { Position } from '../../events/event.ts';
import type { ProjectId, TenantId } from '../../events/ids.ts';
import { AuditRow } from '../audit-log.ts';
import type { ReadPool } from './read-pool.ts';

/** An event must match all fields. Times are RFC 3339. */
export interface AuditFilter {
  actor_id?: string | undefined;
  actor_type?: 'user' | 'service' | 'process' | undefined;
  command?: string | undefined;
  command_id?: string | undefined;
  event_type?: string | undefined;
  area?: string | undefined;
  resource_id?: string | undefined;
  project_id?: string | undefined;
  correlation_id?: string | undefined;
  causation_id?: string | undefined;
  request_id?: string | undefined;
  /** The earliest time. */
  from?: string | undefined;
  /** The latest time. */
  to?: string | undefined;
}

export interface AuditQuery {
  tenant_id: TenantId;
  /** Only events that name one of these projects; `all` for every event. */
  projects: 'all' | readonly ProjectId[];
  filter?: AuditFilter;
  /** Only events after this position, in the chosen order. */
  cursor?: Position | undefined;
  /** Default: newest first. */
  order?: 'newest-first' | 'oldest-first';
  limit: number;
}

export interface AuditPage {
  items: readonly AuditRow[];
  /** The cursor of the next page; null on the last page. */
  next_cursor: Position | null;
  has_more: boolean;
}

const EQUAL = [
  'actor_id',
  'actor_type',
  'command',
  'command_id',
  'event_type',
  'area',
  'resource_id',
  'project_id',
  'correlation_id',
  'causation_id',
  'request_id',
] as const satisfies readonly (keyof AuditFilter)[];

const COLUMNS = sql.join(
  Object.keys(AuditRow.shape).map((column) => sql.identifier([column])),
  sql.fragment`, `,
);

const conditionsOf = ({ tenant_id, projects, filter = {}, cursor, order }: AuditQuery): FragmentSqlToken[] => {
  const conditions = [sql.fragment`tenant_id = ${tenant_id}`];
  if (projects !== 'all') conditions.push(sql.fragment`project_id = any(${sql.array(projects, 'uuid')})`);
  for (const column of EQUAL) {
    const value = filter[column];
    if (value !== undefined) conditions.push(sql.fragment`${sql.identifier([column])} = ${value}`);
  }
  if (filter.from !== undefined) conditions.push(sql.fragment`at >= ${filter.from}`);
  if (filter.to !== undefined) conditions.push(sql.fragment`at <= ${filter.to}`);
  if (cursor !== undefined) {
    conditions.push(order === 'oldest-first' ? sql.fragment`position > ${cursor}` : sql.fragment`position < ${cursor}`);
  }
  return conditions;
};

export const listAuditEvents = async (pool: ReadPool, query: AuditQuery): Promise<AuditPage> => {
  const direction = query.order === 'oldest-first' ? sql.fragment`asc` : sql.fragment`desc`;
  const rows = await pool.any(sql.type(AuditRow)`
    select ${COLUMNS} from audit_log
    where ${sql.join(conditionsOf(query), sql.fragment` and `)}
    order by position ${direction} limit ${query.limit + 1}
  `);
  const items = rows.slice(0, query.limit);
  const has_more = rows.length > query.limit;
  return { items, has_more, next_cursor: has_more ? (items.at(-1)?.position ?? null) : null };
};

export const findAuditEvent = (
  pool: ReadPool,
  { tenant_id, position }: { tenant_id: TenantId; position: Position },
): Promise<AuditRow | null> =>
  pool.maybeOne(sql.type(AuditRow)`
    select ${COLUMNS} from audit_log where position = ${position} and tenant_id = ${tenant_id}
  `);
