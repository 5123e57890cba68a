import { z } from 'zod';
import { notFound } from '../../errors.ts';
import type { ApiCaller } from '../callers/caller.ts';
import { answers, ok, type Route, route } from '../route.ts';
import type { WriteServices } from '../write.ts';

const tag = 'operations';
const permission = 'admin';

const ProjectionAnswer = z.object({
  name: z.string(),
  version: z.int(),
  status: z.enum(['live', 'waiting', 'building']),
  position: z.string().nullable(),
  building: z.object({ version: z.int(), position: z.string().nullable() }).nullable(),
  owner: z.string().nullable(),
  parked: z.int(),
  rebuild_requested_at: z.string().nullable(),
  swapped_at: z.string().nullable(),
  updated_at: z.string(),
});

const parked = {
  id: z.string(),
  tenant_id: z.uuid(),
  position: z.string(),
  event_type: z.string(),
  error: z.string(),
  attempts: z.int(),
  /** Number of later events that wait behind this one. */
  waiting: z.int(),
  parked_at: z.string(),
};

const ParkedAnswer = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('projection'),
    ...parked,
    projection: z.string(),
    stream: z.string(),
    revision: z.int(),
    event_id: z.uuid(),
  }),
  z.object({ kind: z.literal('process'), ...parked, process: z.string(), instance_id: z.uuid() }),
]);
type Parked = z.output<typeof ParkedAnswer>;

const Resumed = z.object({
  /** False where this event, or one behind it, failed again and is parked. */
  resumed: z.boolean(),
});

const projectionRoutes = ({ projections }: WriteServices): Route[] => [
  route({
    method: 'GET',
    path: '/operations/projections',
    operation_id: 'listProjections',
    summary: 'List read models with their position and lease owner',
    tag,
    permission,
    answers: answers(z.object({ items: z.array(ProjectionAnswer) }), 'All read models'),
    handle: async () => ok({ items: await projections.status() }),
  }),
  route({
    method: 'POST',
    path: '/operations/projections/{name}/rebuild',
    operation_id: 'rebuildProjection',
    summary: 'Rebuild a read model and swap it in',
    tag,
    permission,
    params: z.strictObject({ name: z.string().min(1).max(100) }),
    answers: {
      accepted: {
        description: 'The rebuild is scheduled',
        schema: z.object({ name: z.string() }),
        headers: { Location: 'always' },
      },
    },
    refusals: ['not-found'],
    handle: async ({ params: { name } }) => {
      await projections.rebuild(name);
      return { success: 'accepted', body: { name }, headers: { Location: '/operations/projections' } };
    },
  }),
];

/** The id of a parked event: a number for a projection, `<process>:<instance id>` for a process. */
const ParkedId = z.string().regex(/^(\d{1,18}|[a-z-]{1,50}:[0-9a-f-]{36})$/);

const listParked = async ({ projections, processes }: WriteServices, { tenant_id }: ApiCaller): Promise<Parked[]> => {
  const [events, instances] = await Promise.all([projections.listParked(), processes.listParked()]);
  const all: Parked[] = [
    ...events.map((event) => ({ kind: 'projection' as const, ...event })),
    // The parked event itself does not count as waiting, as in projections.
    ...instances.map(({ waiting, ...instance }) => ({
      kind: 'process' as const,
      id: `${instance.process}:${instance.instance_id}`,
      ...instance,
      waiting: waiting - 1,
    })),
  ];
  return all.filter((item) => item.tenant_id === tenant_id);
};

const resume = ({ projections, processes }: WriteServices, item: Parked, verb: 'retry' | 'skip') => {
  if (item.kind === 'process') {
    return verb === 'retry' ? processes.retryParked(item) : processes.skipParked(item);
  }
  return verb === 'retry' ? projections.retryParked(item.id) : projections.skipParked(item.id);
};

const parkedRoutes = (services: WriteServices): Route[] => {
  const act = (verb: 'retry' | 'skip', summary: string): Route =>
    route({
      method: 'POST',
      path: `/operations/parked/{parked_id}/${verb}`,
      operation_id: `${verb}ParkedEvent`,
      summary,
      tag,
      permission,
      params: z.strictObject({ parked_id: ParkedId }),
      answers: answers(Resumed, 'Whether the stream or instance was resumed'),
      refusals: ['not-found'],
      handle: async ({ params: { parked_id }, caller }) => {
        const item = (await listParked(services, caller)).find(({ id }) => id === parked_id);
        if (!item) throw notFound('parked-event', parked_id);
        return ok(await resume(services, item, verb));
      },
    });
  return [
    route({
      method: 'GET',
      path: '/operations/parked',
      operation_id: 'listParkedEvents',
      summary: 'List parked events that a read model or process could not handle',
      tag,
      permission,
      answers: answers(z.object({ items: z.array(ParkedAnswer) }), 'Parked events of this tenant'),
      handle: async ({ caller }) => ok({ items: await listParked(services, caller) }),
    }),
    act('retry', 'Retry a parked event'),
    act('skip', 'Skip a parked event for good and continue with those behind it'),
  ];
};

/** Operations for administrators. */
export const operationRoutes = (services: WriteServices): Route[] => [
  ...projectionRoutes(services),
  ...parkedRoutes(services),
];
