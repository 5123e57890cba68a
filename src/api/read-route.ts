import { z } from 'zod';
import { listedProjects, maySee } from '../commands/may-see.ts';
import { Rejected } from '../errors.ts';
import { Position } from '../events/event.ts';
import type { ProjectId } from '../events/ids.ts';
import { visibility } from '../events/visibility.ts';
import type { ApiCaller } from './callers/caller.ts';
import { type AnyRow, etagOf, type Resource, resourceNotFound, unsealRow } from './resource.ts';
import { type Answer, answers, type Exchange, ok, type Route, route } from './route.ts';
import type { ApiServices } from './services.ts';

const FRESHNESS_TIMEOUT_MS = 5000;

/** Query parameters of every read. */
export const freshness = { min_position: Position.optional() };

type FreshExchange = Pick<
  Exchange<unknown, { min_position?: Position | undefined }>,
  'caller' | 'facts' | 'query' | 'written'
>;

/**
 * Waits until the read models show all that the caller has written, and have reached the requested position. Throws
 * `Rejected` `read-model-behind` after a time-out.
 */
export const awaitFreshness = async (
  { readModels, settings }: Pick<ApiServices, 'readModels' | 'settings'>,
  names: readonly string[],
  { facts, query, written }: Omit<FreshExchange, 'caller'>,
): Promise<void> => {
  const timeout_ms = settings.own_writes_timeout_ms;
  if (written !== null) await readModels.waitFor(names, written, { timeout_ms });
  const asked = query.min_position ?? facts.min_position;
  if (asked !== undefined) await readModels.waitFor(names, asked, { timeout_ms: FRESHNESS_TIMEOUT_MS });
};

/**
 * Returns the row where it exists and the caller may see it. Throws `Rejected` `not-found` otherwise, the same as for
 * an unknown id.
 */
export const getVisible = async (
  services: ApiServices,
  resource: Resource,
  { id, exchange }: { id: string; exchange: FreshExchange },
): Promise<AnyRow> => {
  await awaitFreshness(services, [resource.projection.name], exchange);
  const { caller } = exchange;
  const row: AnyRow | null = await services.readModels.find(resource.projection, { tenant_id: caller.tenant_id, id });
  if (!row || !maySee(caller, resource.area, row)) throw resourceNotFound(resource, id);
  if (row.status !== 'deleted') return row;
  throw new Rejected('not-found', `${resource.area}-not-found`, `The ${resource.area} ${id} has been deleted.`, {
    hint: `GET /audit/${resource.area}/${id} shows its history.`,
  });
};

/** Headers of an answer that was made from one row. */
export const ROW_HEADERS = { ETag: 'always', Position: 'always' } as const;

const rowHeaders = (row: AnyRow) => ({ ETag: etagOf(row), Position: row.position });

/** 304 where the caller has this revision already, else null. */
const notModified = ({ facts: { if_none_match: known = [] } }: Exchange, row: AnyRow): Answer | null => {
  if (known !== '*' && !known.includes(row.revision)) return null;
  const { ETag, Position } = rowHeaders(row);
  return { success: 'not-modified', headers: { ETag, Position, 'Cache-Control': 'private, no-cache' } };
};

interface ItemOptions {
  tag: string;
  /** Name of the path parameter with the id. */
  parameter: string;
}

/** `GET` of one resource. */
export const itemRoute = (services: ApiServices, resource: Resource, { tag, parameter }: ItemOptions): Route => {
  const params = z.strictObject({ [parameter]: z.uuid() });
  return route({
    method: 'GET',
    path: `${resource.path}/{${parameter}}`,
    operation_id: `get${resource.title}`,
    summary: `Get one ${resource.area}`,
    tag,
    permission: visibility[resource.area].view,
    params,
    query: z.strictObject(freshness),
    answers: {
      ...answers(resource.schema, `The ${resource.area}`, ROW_HEADERS),
      'not-modified': { description: 'The caller has this revision already', schema: null, headers: ROW_HEADERS },
    },
    refusals: ['invalid', 'not-found', 'unavailable'],
    handle: async (exchange) => {
      const id = exchange.params[parameter] ?? '';
      const row = await getVisible(services, resource, { id, exchange });
      return notModified(exchange, row) ?? ok(await unsealRow(row, services), rowHeaders(row));
    },
  });
};

export const page = (item: z.ZodType) =>
  z.object({
    items: z.array(item),
    /** The value of `cursor` for the next page; null on the last page. */
    next_cursor: z.string().nullable(),
    has_more: z.boolean(),
    /** Position of the log up to which the list is complete. */
    position: Position.nullable(),
  });

/** Query parameters of every list. */
export const paging = {
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().min(1).max(1000).optional(),
};

const oneOrMore = <Value extends z.ZodType>(value: Value) => z.union([value, z.array(value)]).optional();

interface ListOptions {
  tag: string;
  /** Filters; a repeated parameter means "one of these". */
  filters: Readonly<Record<string, z.ZodType<string>>>;
  /** Fields that `sort` may name. */
  sortable: readonly string[];
}

const sortOf = (sortable: readonly string[]) => {
  const field = `-?(${sortable.join('|')})`;
  return z
    .string()
    .regex(new RegExp(`^${field}(,${field})*$`), `must name one or more of ${sortable.join(', ')}, "-" for descending`)
    .default('-created_at');
};

/**
 * The projects whose resources the caller may list. Throws `Rejected` where the caller may not list this area at all.
 */
const projectsToList = ({ area }: Resource, caller: ApiCaller): 'all' | readonly (ProjectId | null)[] => {
  const projects = listedProjects(caller, area);
  const { project, view } = visibility[area];
  // A caller without projects gets an empty list of project resources; resources of the whole tenant are listed or
  // refused.
  if (project !== null || projects === 'all') return projects;
  throw new Rejected('forbidden', 'not-permitted', `Listing ${area}s requires the scope ${view}.`);
};

const isFilter = (value: unknown): value is string | readonly string[] =>
  typeof value === 'string' || (Array.isArray(value) && value.every((item) => typeof item === 'string'));

/** `GET` of many resources, in pages. */
export const listRoute = (
  services: ApiServices,
  resource: Resource,
  { tag, filters, sortable }: ListOptions,
): Route => {
  const filterSchemas = Object.entries(filters).map(([name, schema]) => [name, oneOrMore(schema)] as const);
  const paged = z.object({ ...freshness, ...paging, sort: sortOf(sortable) });
  return route({
    method: 'GET',
    path: resource.path,
    operation_id: `list${resource.title}s`,
    summary: `List ${resource.area}s`,
    tag,
    permission: visibility[resource.area].view,
    query: z.strictObject({ ...paged.shape, ...Object.fromEntries(filterSchemas) }),
    answers: answers(page(resource.schema), `A page of ${resource.area}s`, { Position: 'sometimes' }),
    refusals: ['forbidden', 'invalid', 'malformed', 'unavailable'],
    handle: async (exchange) => {
      // The filters differ from list to list; `paged` has the parameters that all lists share.
      const { limit, cursor, sort, min_position } = paged.parse(exchange.query);
      await awaitFreshness(services, [resource.projection.name], { ...exchange, query: { min_position } });
      const given = Object.entries(exchange.query).flatMap(([name, value]) =>
        Object.hasOwn(filters, name) && isFilter(value) ? [[name, value] as const] : [],
      );
      const listed = await services.readModels.list(resource.projection, {
        tenant_id: exchange.caller.tenant_id,
        projects: projectsToList(resource, exchange.caller),
        filter: Object.fromEntries(given),
        sort,
        limit,
        ...(cursor === undefined ? {} : { cursor }),
      });
      const items = await Promise.all(listed.items.map((row: AnyRow) => unsealRow(row, services)));
      return ok({ ...listed, items }, listed.position === null ? {} : { Position: listed.position });
    },
  });
};
