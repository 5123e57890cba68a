import { z } from 'zod';
import { visibleProjects } from '../../commands/access.ts';
import { maySee } from '../../commands/may-see.ts';
import { historyDamaged, Rejected, unknownPosition } from '../../errors.ts';
import { Area, streamOf } from '../../events/catalog.ts';
import { ofOneForm, Position } from '../../events/event.ts';
import type { ProjectId } from '../../events/ids.ts';
import { isSealed, withoutSealed } from '../../events/sealed.ts';
import { visibility } from '../../events/visibility.ts';
import { AuditRow } from '../../projections/audit-log.ts';
import { EventCursor, eventCursorOf } from '../../projections/event-cursor.ts';
import type { AuditQuery } from '../../projections/queries/audit-query.ts';
import { replay } from '../../projections/queries/replay.ts';
import { assertSameEvent } from '../http/event-cursor.ts';
import { QueryTime } from '../http/query-time.ts';
import { awaitFreshness, freshness, page, paging } from '../read-route.ts';
import { RequestId } from '../request-facts.ts';
import { type AnyRow, resourceNotFound, resources, unseal, unsealRow } from '../resource.ts';
import { answers, type Exchange, ok, type Route, route } from '../route.ts';
import type { WriteServices } from '../write.ts';

const tag = 'audit';

/** The actor's name is null once the person has been erased. */
const Entry = AuditRow.extend({ actor_name: z.string().nullable(), data: z.unknown() });

const entryOf = async (services: WriteServices, row: AuditRow) => ({
  ...row,
  actor_name: isSealed(row.actor_name) ? await unseal(row.actor_name, services) : row.actor_name,
  data: withoutSealed(row.data),
});

/** Events without a project are visible only to callers who see all projects. */
const projectsFor = ({ caller }: Exchange): 'all' | readonly ProjectId[] =>
  visibleProjects(caller.access, visibility.project.view);

const Order = z.enum(['newest-first', 'oldest-first']);

const EventsQuery = z.strictObject({
  ...freshness,
  limit: paging.limit,
  /** Only events after this `next_cursor`, or after this position, in the chosen order. */
  cursor: EventCursor.optional(),
  order: Order.default('newest-first'),
  actor_id: z.string().max(200).optional(),
  actor_type: AuditRow.shape.actor_type.optional(),
  command: z.string().max(100).optional(),
  command_id: z.uuid().optional(),
  event_type: z.string().max(100).optional(),
  area: z.string().max(50).optional(),
  resource_id: z.uuid().optional(),
  project_id: z.uuid().optional(),
  correlation_id: z.uuid().optional(),
  causation_id: z.uuid().optional(),
  /** The header `X-Request-Id` of the answer. */
  request_id: RequestId.optional(),
  /** Only events at or after this time. */
  from: QueryTime.optional(),
  /** Only events at or before this time. */
  to: QueryTime.optional(),
});

/** A cursor from another log, before a cut-over, would silently skip or repeat events. */
const assertOfThisLog = async ({ readModels }: WriteServices, position: Position | undefined): Promise<void> => {
  const newest = (await readModels.positions()).get('audit_log') ?? null;
  if (position && newest && !ofOneForm(position, newest)) throw unknownPosition(position);
};

type EntriesQuery = Omit<AuditQuery, 'cursor'> & { cursor: EventCursor | undefined };

/** A page of entries. `position` is read before the rows, so the rows may be newer, never older. */
const entries = async (services: WriteServices, { cursor, ...rest }: EntriesQuery) => {
  const { tenant_id } = rest;
  if (cursor !== undefined) {
    await assertOfThisLog(services, cursor.position);
    await assertSameEvent(cursor, (position) => services.readModels.findAuditEvent({ tenant_id, position }));
  }
  const query: AuditQuery = { ...rest, cursor: cursor?.position };
  const position = (await services.readModels.positions()).get('audit_log') ?? null;
  const listed = await services.readModels.listAuditEvents(query);
  const last = listed.has_more ? listed.items.at(-1) : undefined;
  const items = await Promise.all(listed.items.map((row) => entryOf(services, row)));
  return { ...listed, next_cursor: last ? eventCursorOf(last) : null, items, position };
};

const eventsRoute = (services: WriteServices): Route =>
  route({
    method: 'GET',
    path: '/audit/events',
    operation_id: 'listAuditEvents',
    summary: 'List audit events',
    tag,
    permission: visibility.project.view,
    query: EventsQuery,
    answers: answers(page(Entry), 'A page of events'),
    refusals: ['invalid', 'malformed', 'unavailable'],
    handle: async (exchange) => {
      await awaitFreshness(services, ['audit_log'], exchange);
      const { min_position: _, limit, cursor, order, ...filter } = exchange.query;
      const { tenant_id } = exchange.caller;
      return ok(await entries(services, { tenant_id, projects: projectsFor(exchange), filter, cursor, order, limit }));
    },
  });

const eventRoute = (services: WriteServices): Route =>
  route({
    method: 'GET',
    path: '/audit/events/{position}',
    operation_id: 'getAuditEvent',
    summary: 'Get an audit event by its position',
    tag,
    permission: visibility.project.view,
    params: z.strictObject({ position: Position }),
    query: z.strictObject(freshness),
    answers: answers(Entry, 'The event'),
    refusals: ['invalid', 'not-found', 'unavailable'],
    handle: async (exchange) => {
      await awaitFreshness(services, ['audit_log'], exchange);
      const { position } = exchange.params;
      await assertOfThisLog(services, position);
      const projects = projectsFor(exchange);
      const row = await services.readModels.findAuditEvent({ tenant_id: exchange.caller.tenant_id, position });
      const visible = row && (projects === 'all' || (row.project_id !== null && projects.includes(row.project_id)));
      if (!visible) throw new Rejected('not-found', 'event-not-found', `No event at ${position}.`);
      return ok(await entryOf(services, row));
    },
  });

/** `area` decides which one it is. */
const AnyResource = z.union(Object.values(resources).map(({ schema }) => schema));

const params = z.strictObject({ area: Area, id: z.uuid() });

/** Returns the current row, also of a deleted resource, since its history stays. Throws `Rejected` `not-found`. */
const getForAudit = async (
  services: WriteServices,
  exchange: Exchange<z.output<typeof params>, object>,
): Promise<AnyRow> => {
  const { area, id } = exchange.params;
  const resource = resources[area];
  await awaitFreshness(services, [resource.projection.name], exchange);
  const row: AnyRow | null = await services.readModels.find(resource.projection, {
    tenant_id: exchange.caller.tenant_id,
    id,
  });
  if (!row || !maySee(exchange.caller, area, row)) throw resourceNotFound(resource, id);
  return row;
};

const historyRoute = (services: WriteServices): Route =>
  route({
    method: 'GET',
    path: '/audit/{area}/{id}',
    operation_id: 'getHistory',
    summary: 'List the audit events of a resource, oldest first',
    tag,
    permission: 'signed-in',
    params,
    query: z.strictObject({ ...freshness, limit: paging.limit, cursor: EventCursor.optional() }),
    answers: answers(page(Entry), 'A page of events'),
    refusals: ['invalid', 'not-found', 'unavailable'],
    handle: async (exchange) => {
      await getForAudit(services, exchange);
      await awaitFreshness(services, ['audit_log'], exchange);
      const { area, id } = exchange.params;
      const { limit, cursor } = exchange.query;
      const { tenant_id } = exchange.caller;
      const query = { tenant_id, projects: 'all', filter: { area, resource_id: id } } as const;
      return ok(await entries(services, { ...query, order: 'oldest-first', limit, cursor }));
    },
  });

const AsOf = z.union([QueryTime.transform((time) => ({ time })), Position.transform((position) => ({ position }))]);

/** What is still to come could be answered otherwise later. */
const refuseFuture = async ({ clock, log }: WriteServices, as_of: z.output<typeof AsOf>): Promise<void> => {
  const head = 'position' in as_of ? await log.head() : null;
  const isFuture =
    'time' in as_of
      ? Date.parse(as_of.time) > Date.parse(clock())
      : head !== null && ofOneForm(as_of.position, head) && as_of.position > head;
  if (!isFuture) return;
  throw new Rejected('invalid', 'as-of-in-future', 'as_of is in the future: what will be then is not known yet.');
};

const stateRoute = (services: WriteServices): Route =>
  route({
    method: 'GET',
    path: '/audit/{area}/{id}/state',
    operation_id: 'getStateAsOf',
    summary: 'Get a resource as of a time or position, replayed from its events',
    tag,
    permission: 'signed-in',
    params,
    query: z.strictObject({
      ...freshness,
      /** A time or a position; default: now. */
      as_of: AsOf.optional(),
    }),
    answers: answers(AnyResource, 'The resource as of that time or position', { Position: 'always' }),
    refusals: ['conflict', 'invalid', 'not-found', 'unavailable'],
    handle: async (exchange) => {
      await getForAudit(services, exchange);
      const { area, id } = exchange.params;
      const resource = resources[area];
      const { as_of } = exchange.query;
      if (as_of !== undefined) await refuseFuture(services, as_of);
      const to = as_of === undefined ? {} : { to: as_of };
      const row: AnyRow | null = await replay(resource.projection, services.log, { id, ...to });
      // Its read model has it.
      if (!row && as_of === undefined) throw historyDamaged(streamOf(area, id), 'it has no events any more');
      if (!row) throw new Rejected('not-found', `${area}-not-found`, `The ${area} ${id} did not exist then.`);
      return ok(await unsealRow(row, services), { Position: row.position });
    },
  });

export const auditRoutes = (services: WriteServices): Route[] => [
  eventsRoute(services),
  eventRoute(services),
  historyRoute(services),
  stateRoute(services),
];
