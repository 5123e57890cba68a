import { type FragmentSqlToken, type ListSqlToken, sql } from 'slonik';
import { z } from 'zod';
import type { Fact } from '../../events/catalog.ts';
import { Position } from '../../events/event.ts';
import type { ProjectId, TenantId } from '../../events/ids.ts';
import { visibility } from '../../events/visibility.ts';
import { type Projection, STAMP_COLUMNS } from '../projection.ts';
import {
  afterCondition,
  decodeCursor,
  digestOf,
  encodeCursor,
  type Filter,
  filterConditions,
  orderBy,
  parseSort,
} from './list-query.ts';
import type { ReadPool } from './read-pool.ts';
import { rowSchemaOf, type Stamped } from './row-schema.ts';

export interface ListQuery {
  tenant_id: TenantId;
  /** Only rows of these projects, with null for rows without a project; `all` for every row. */
  projects: 'all' | readonly (ProjectId | null)[];
  /** Values by field; several values are alternatives. A field of an object is written `target_id`. */
  filter?: Filter;
  /** For example `-created_at,name`. */
  sort?: string;
  cursor?: string | undefined;
  limit: number;
}

export interface Page<Row> {
  items: readonly Row[];
  /** Null on the last page. */
  next_cursor: string | null;
  has_more: boolean;
  /** The position that the read model had at least reached; null where it has no events yet. */
  position: Position | null;
}

type Columns = Pick<Projection, 'row'>;

export const columnsOf = ({ row }: Columns): ListSqlToken =>
  sql.join(
    [...STAMP_COLUMNS, ...Object.keys(row.shape)].map((column) => sql.identifier([column])),
    sql.fragment`, `,
  );

/** Finds a row; a deleted one is found too, with its status. */
export const findRow = <Row extends object, F extends Fact>(
  pool: ReadPool,
  projection: Projection<Row, F>,
  { tenant_id, id }: { tenant_id: TenantId; id: string },
): Promise<Stamped<Row> | null> =>
  pool.maybeOne(sql.prepared(`find-${projection.name}-${projection.version}`, rowSchemaOf<Row>(projection))`
    select ${columnsOf(projection)} from ${sql.identifier([projection.name])} where id = ${id} and tenant_id = ${tenant_id}
  `);

const visibleIn = ({ area }: Pick<Projection, 'area'>, projects: readonly (ProjectId | null)[]): FragmentSqlToken => {
  const named = projects.filter((id) => id !== null);
  const ids = sql.array(named, 'uuid');
  const withoutProject = named.length < projects.length;
  switch (visibility[area].project) {
    case 'own-id':
      return sql.fragment`id = any(${ids})`;
    case 'project_id':
      return withoutProject
        ? sql.fragment`(project_id is null or project_id = any(${ids}))`
        : sql.fragment`project_id = any(${ids})`;
    case null:
      return withoutProject ? sql.fragment`true` : sql.fragment`false`;
  }
};

const HeadRow = z.object({ position: Position.nullable() });

export const listRows = async <Row extends object, F extends Fact>(
  pool: ReadPool,
  projection: Projection<Row, F>,
  { tenant_id, projects, filter = {}, sort = '-created_at', cursor, limit }: ListQuery,
): Promise<Page<Stamped<Row>>> => {
  const { name, row } = projection;
  const keys = parseSort(row, sort);
  const digest = digestOf([name, tenant_id, keys, filter]);
  const conditions = [sql.fragment`tenant_id = ${tenant_id}`, ...filterConditions(projection, filter)];
  if (projects !== 'all') conditions.push(visibleIn(projection, projects));
  if (cursor !== undefined) conditions.push(afterCondition(keys, decodeCursor(cursor, { digest, keys, row })));
  // Read before the rows, so that they are at least as fresh as the position says.
  const head = await pool.maybeOne(sql.type(HeadRow)`select position from projections where name = ${name}`);
  const rows = await pool.any(sql.type(rowSchemaOf<Row>(projection))`
    select ${columnsOf(projection)} from ${sql.identifier([name])}
    where ${sql.join(conditions, sql.fragment` and `)}
    ${orderBy(keys)} limit ${limit + 1}
  `);
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const has_more = rows.length > limit;
  const next_cursor = has_more && last ? encodeCursor(digest, keys, last) : null;
  return { items, next_cursor, has_more, position: head?.position ?? null };
};
