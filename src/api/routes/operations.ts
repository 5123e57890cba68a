import { z } from 'zod';
import { systemCaller } from '../../commands/access.ts';
import { recordParkedWorkResumed } from '../../commands/workflow/internal/record-parked-work-resumed.ts';
import { notFound, rejected } from '../../errors.ts';
import { CommandId, newId } from '../../events/ids.ts';
import type { ParkedWorkAction } from '../../ports/process-operations.ts';
import type { ApiCaller } from '../callers/caller.ts';
import { answers, type Exchange, ok, type Route, route } from '../route.ts';
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
  z.object({
    kind: z.literal('work'),
    id: z.string(),
    tenant_id: z.uuid(),
    process: z.string(),
    instance_id: z.uuid(),
    /** The workflow that is told the outcome; null: none. */
    workflow_id: z.uuid().nullable(),
    /** The name of the command or of the call of a service. */
    work: z.string(),
    /** The data of the command or the input of the call, without its secrets. */
    request: z.unknown(),
    error: z.string(),
    attempts: z.int(),
    /** The last failures, oldest first. */
    failures: z.array(z.object({ at: z.string(), error: z.string() })),
    parked_at: z.string(),
    /** When it is given up, which the workflow is told. */
    give_up_at: z.string(),
    /** Number of later commands and calls of the process that wait behind this one. */
    waiting: z.int(),
  }),
]);
type Parked = z.output<typeof ParkedAnswer>;
/** Who acts, in which request. */
type Acting = Pick<Exchange, 'caller' | 'facts'>;

const Resumed = z.object({
  /** False where this event, or one behind it, failed again and is parked. Work is attempted afterwards: true. */
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

/** A number for an event of a projection, `<process>:<instance id>` for one of a process, `work-<number>` for work. */
const ParkedId = z.string().regex(/^(\d{1,18}|[a-z-]{1,50}:[0-9a-f-]{36}|work-\d{1,18})$/);

const listParked = async ({ projections, processes }: WriteServices, { tenant_id }: ApiCaller): Promise<Parked[]> => {
  const [events, instances, works] = await Promise.all([
    projections.listParked(),
    processes.listParked(),
    processes.listParkedWork(),
  ]);
  const all: Parked[] = [
    ...events.map((event) => ({ kind: 'projection' as const, ...event })),
    // The parked event itself does not count as waiting, as in projections.
    ...instances.map(({ waiting, ...instance }) => ({
      kind: 'process' as const,
      id: `${instance.process}:${instance.instance_id}`,
      ...instance,
      waiting: waiting - 1,
    })),
    ...works.map((work) => ({ kind: 'work' as const, ...work, id: `work-${work.id}`, failures: [...work.failures] })),
  ];
  return all.filter((item) => item.tenant_id === tenant_id);
};

/** Records in the workflow who did it before it is done: an operator who gets no answer may repeat it. */
const resumeWork = async (
  { processes, handle }: WriteServices,
  { work, action, exchange }: { work: Extract<Parked, { kind: 'work' }>; action: ParkedWorkAction; exchange: Acting },
) => {
  const { workflow_id, work: name } = work;
  const { caller, facts } = exchange;
  const changes = (action.action === 'retry' && action.changes) || null;
  await processes.resumeParkedWork(work.id.slice('work-'.length), action, async () => {
    if (workflow_id === null) return;
    const data = { workflow_id, work: name, action: action.action, changes };
    await handle(recordParkedWorkResumed, data, {
      caller: systemCaller(caller.tenant_id, caller.actor),
      command_id: newId(CommandId),
      correlation_id: facts.correlation_id,
      traceparent: facts.traceparent,
    });
  });
  return { resumed: true };
};

const resume = (
  services: WriteServices,
  item: Parked,
  { verb, exchange }: { verb: 'retry' | 'skip'; exchange: Acting },
) => {
  const { projections, processes } = services;
  if (item.kind === 'work') return resumeWork(services, { work: item, action: { action: verb }, exchange });
  if (item.kind === 'process') {
    return verb === 'retry' ? processes.retryParked(item) : processes.skipParked(item);
  }
  return verb === 'retry' ? projections.retryParked(item.id) : projections.skipParked(item.id);
};

const parkedRoutes = (services: WriteServices): Route[] => {
  const find = async (parkedId: string, caller: ApiCaller): Promise<Parked> => {
    const item = (await listParked(services, caller)).find(({ id }) => id === parkedId);
    if (!item) throw notFound('parked-event', parkedId);
    return item;
  };
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
      handle: async ({ params: { parked_id }, caller, facts }) => {
        const item = await find(parked_id, caller);
        return ok(await resume(services, item, { verb, exchange: { caller, facts } }));
      },
    });
  return [
    route({
      method: 'GET',
      path: '/operations/parked',
      operation_id: 'listParkedEvents',
      summary: 'List parked events that a read model or process could not handle, and work that keeps failing',
      tag,
      permission,
      answers: answers(z.object({ items: z.array(ParkedAnswer) }), 'Parked events of this tenant'),
      handle: async ({ caller }) => ok({ items: await listParked(services, caller) }),
    }),
    act('retry', 'Retry a parked event or parked work'),
    act('skip', 'Skip a parked event or parked work for good and continue with what is behind it'),
    route({
      method: 'PATCH',
      path: '/operations/parked/{parked_id}',
      operation_id: 'changeParkedWork',
      summary: 'Change the request of parked work, and retry it',
      tag,
      permission,
      params: z.strictObject({ parked_id: ParkedId }),
      body: z.strictObject({ changes: z.record(z.string(), z.unknown()) }),
      answers: answers(Resumed, 'The work is attempted with the changed request'),
      refusals: ['not-found', 'conflict', 'invalid'],
      handle: async ({ params: { parked_id }, body: { changes }, caller, facts }) => {
        const work = await find(parked_id, caller);
        if (work.kind !== 'work') throw rejected('not-editable', 'Only parked work can be changed; an event never is.');
        const exchange = { caller, facts };
        return ok(await resumeWork(services, { work, action: { action: 'retry', changes }, exchange }));
      },
    }),
  ];
};

/** Operations for administrators. */
export const operationRoutes = (services: WriteServices): Route[] => [
  ...projectionRoutes(services),
  ...parkedRoutes(services),
];
