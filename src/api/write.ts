import type { Caller } from '../commands/access.ts';
import type { AnyCommand } from '../commands/command.ts';
import type { Outcome } from '../commands/engine/handle.ts';
import { isHistoryDamaged, Rejected } from '../errors.ts';
import { type Recorded, streamOf, toFact } from '../events/catalog.ts';
import type { RecordedEvent } from '../events/event.ts';
import { type CommandId, UserId } from '../events/ids.ts';
import { reduce } from '../projections/projection.ts';
import type { Callers } from './callers/caller.ts';
import type { CommandAttempt, Idempotency } from './idempotency.ts';
import type { OwnWrites } from './own-writes.ts';
import { type AnyRow, etagOf, type Resource, resources, unsealRow } from './resource.ts';
import type { Answer, Exchange } from './route.ts';
import type { ApiServices } from './services.ts';
import type { UploadCleanup } from './upload-cleanup.ts';

/** The services that commands need besides those of every route. */
export interface WriteServices extends ApiServices {
  callers: Callers;
  ownWrites: Pick<OwnWrites, 'wrote' | 'refresh' | 'upTo' | 'awaits'>;
  idempotency: Idempotency;
  uploads: UploadCleanup;
}

/** The parts of an outcome that an answer needs. */
type Recording = Pick<Outcome, 'id' | 'revision' | 'position' | 'events'>;

interface Folded {
  row: AnyRow;
  /** The workflow that the command started, if any. */
  workflow_id: string | undefined;
}

const workflowIn = ({ data }: Recorded): string | undefined =>
  'workflow_id' in data && typeof data.workflow_id === 'string' ? data.workflow_id : undefined;

type Reading = Pick<ApiServices, 'log' | 'readModels'>;

/**
 * What to fold: a row, and the events after it. A resource that was just created needs no read, since the outcome has all
 * its events. Where somebody has cut the stream, the command is done all the same, and the read model knows the rest.
 */
const historyOf = async ({ log, readModels }: Reading, { area, projection }: Resource, outcome: Recording) => {
  const { id, revision, events } = outcome;
  const [first] = events;
  if (first?.revision === 0) return { row: null, events };
  try {
    const read: RecordedEvent[] = [];
    for await (const event of log.readStream(streamOf(area, id), { to: revision })) read.push(event);
    return { row: null, events: read };
  } catch (error) {
    if (!isHistoryDamaged(error) || first === undefined) throw error;
    const row: AnyRow | null = await readModels.find(projection, { tenant_id: first.meta.tenant_id, id });
    if (!row) throw error;
    return { row, events: events.filter((event) => event.revision > row.revision) };
  }
};

/** Folds the resource as of the command's last event, whatever happened since. */
const fold = async (reading: Reading, resource: Resource, outcome: Recording, commandId: CommandId) => {
  const { id, revision } = outcome;
  const history = await historyOf(reading, resource, outcome);
  let row: AnyRow | null = history.row;
  let workflow_id: string | undefined;
  for (const recorded of history.events) {
    const fact = toFact(recorded);
    row = reduce(resource.projection, row, fact);
    if (fact.meta.command_id === commandId) workflow_id ??= workflowIn(fact);
  }
  if (!row) throw new Error(`the ${resource.area} ${id} has no row at revision ${revision}`);
  return { row, workflow_id } satisfies Folded;
};

const expectedRevisions = (command: AnyCommand, { facts: { if_match } }: Exchange): readonly number[] | undefined => {
  if (if_match === undefined) return undefined;
  if (command.creates) {
    throw new Rejected('malformed', 'if-match-on-creation', 'If-Match is not allowed when a resource is created.');
  }
  // `*` only requires that the resource exists, as every change does anyway.
  return if_match === '*' ? undefined : if_match;
};

/** The user whose permissions the command may have changed. */
const affectedUser = (command: AnyCommand, data: unknown, exchange: Exchange): UserId | null => {
  const { area } = command.aggregate;
  if (area !== 'user' && area !== 'project') return null;
  const named = typeof data === 'object' && data !== null && 'user_id' in data ? UserId.safeParse(data.user_id) : null;
  if (named?.success) return named.data;
  // An admin has every permission already, so a change of the admin's own projects changes nothing.
  return exchange.caller.access.role === 'admin' ? null : exchange.caller.user_id;
};

interface Performance {
  data: unknown;
  exchange: Exchange;
  attempt: CommandAttempt;
  /** The caller of the command where it is not the request's caller: the system, on the caller's behalf. */
  as?: Caller;
}

/** Performs the command with the ids of the attempt. */
export const perform = async (
  services: WriteServices,
  command: AnyCommand,
  { data, exchange, attempt, as: caller = exchange.caller }: Performance,
): Promise<Outcome> => {
  const { facts } = exchange;
  const expected = expectedRevisions(command, exchange);
  const outcome = await services.handle(command, data, {
    caller,
    command_id: attempt.command_id,
    correlation_id: facts.correlation_id,
    ...(expected === undefined ? {} : { expected_revision: expected }),
    request_hash: attempt.request_hash,
    traceparent: facts.traceparent,
    request_id: facts.request_id,
    may_repeat: attempt.may_repeat,
  });
  services.ownWrites.wrote(exchange.caller.user_id, outcome.position);
  const user = affectedUser(command, data, exchange);
  if (user) services.callers.accessChanged(user, outcome.position);
  return outcome;
};

/** The recorded outcome of an earlier run of this attempt's command; null where none is recorded. */
export const findOutcome = async (
  { log }: Pick<ApiServices, 'log'>,
  { aggregate: { area } }: AnyCommand,
  { id, attempt }: { id: string; attempt: CommandAttempt },
): Promise<Recording | null> => {
  let last: RecordedEvent | null = null;
  for await (const event of log.readStream(streamOf(area, id))) {
    if (event.meta.command_id === attempt.command_id) last = event;
    else if (last) break;
  }
  return last && { id, revision: last.revision, position: last.position, events: [] };
};

/** The answer to a command: the resource after its events, and the workflow that it started. */
export const writeAnswer = async (
  services: ApiServices,
  command: AnyCommand,
  { outcome, attempt }: { outcome: Recording; attempt: CommandAttempt },
): Promise<Answer> => {
  const resource = resources[command.aggregate.area];
  const { row, workflow_id } = await fold(services, resource, outcome, attempt.command_id);
  const body = await unsealRow(row, services);
  return {
    success: workflow_id === undefined ? (command.creates ? 'created' : 'ok') : 'accepted',
    body: workflow_id === undefined ? body : { ...body, workflow_id },
    headers: {
      ETag: etagOf(row),
      ...(outcome.position === null ? {} : { Position: outcome.position }),
      ...(command.creates || workflow_id !== undefined ? { Location: `${resource.path}/${outcome.id}` } : {}),
    },
  };
};
