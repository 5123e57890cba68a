import { setTimeout as sleep } from 'node:timers/promises';
import { notFound, Rejected, rejected, WrongExpectedRevision } from '../../errors.ts';
import { definitionOf, type Fact, type Recorded, streamOf } from '../../events/catalog.ts';
import type { Meta, NewEvent, Position } from '../../events/event.ts';
import { type CommandId, deriveId, type EventId, eventIdOf, type TenantId } from '../../events/ids.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Vault } from '../../ports/vault.ts';
import type { Caller } from '../access.ts';
import type { AnyCommand, DecisionContext, Need } from '../command.ts';
import { DEFAULT_DEADLINES, type Deadlines } from '../deadlines.ts';
import { authoriseChange, authoriseCreation, refuseForPersons } from './authorise.ts';
import { inUse, type LiveEndpoint } from './in-use.ts';
import { parseInput } from './input.ts';
import { createLoader, emptyStream, type Loaded } from './load.ts';
import { createNames } from './names.ts';

/** Everything about a request besides the command and its data. */
export interface Request {
  caller: Caller;
  command_id: CommandId;
  correlation_id: string;
  causation_id?: EventId | null;
  /** From `If-Match`: refuse as stale unless the stream is at this revision. */
  expected_revision?: number;
  request_hash?: string | undefined;
  traceparent?: string | undefined;
  /** True where the same command may have been handled before: an idempotency key, or an intent of a process. */
  may_repeat?: boolean;
}

/** What became of a command. */
export interface Outcome {
  area: string;
  id: string;
  /** The state right after the command's own events, also when it is repeated later. */
  state: unknown;
  revision: number;
  position: Position | null;
  /** What was appended now: nothing where nothing changed, or the command had been handled before. */
  events: readonly Recorded[];
  /** True: the command had been handled before, and nothing was added now. */
  repeated: boolean;
}

export interface HandlerOptions {
  log: Log;
  vault: Vault;
  clock: Clock;
  /** The live endpoints that use a project, model or cluster, as fresh as the log's head. */
  findLiveEndpoints(area: string, id: string, tenantId: TenantId): Promise<readonly LiveEndpoint[]>;
  /** In place of those of `DEFAULT_DEADLINES`. */
  deadlines?: Partial<Deadlines>;
  /** The start of a process that is the only one on its log: what was in the making before then will not be made. */
  alone_since?: string | undefined;
}

/** Performs commands. Throws `Rejected` where the domain, the access rules or the input refuse. */
export type HandleCommand = (command: AnyCommand, data: unknown, request: Request) => Promise<Outcome>;

const CONFLICT_ATTEMPTS = 8;

const metaOf = (command: AnyCommand, request: Request): Meta => ({
  tenant_id: request.caller.tenant_id,
  command_id: request.command_id,
  command: command.type,
  correlation_id: request.correlation_id,
  causation_id: request.causation_id ?? null,
  actor: request.caller.actor,
  ...(request.request_hash === undefined ? {} : { request_hash: request.request_hash }),
  ...(request.traceparent === undefined ? {} : { traceparent: request.traceparent }),
});

const newEvents = (stream: string, facts: readonly Fact[], meta: Meta): NewEvent[] =>
  facts.map((fact, index) => {
    const { version, data } = definitionOf(fact.type);
    return {
      id: eventIdOf(meta.command_id, stream, index),
      type: fact.type,
      version,
      data: data.parse(fact.data),
      meta,
    };
  });

const concurrentChange = (cause: WrongExpectedRevision) =>
  rejected('concurrent-change', 'The resource was changed concurrently, repeatedly.', { hint: 'Try again.', cause });

/** The log may have done it all the same. */
const isUnheard = (error: unknown): boolean =>
  error instanceof Rejected && error.kind === 'unavailable' && error.code !== 'reservation-expired';

/** Throws where something new exists already, or what is to be changed exists no more. */
const assertOpen = ({ aggregate, creates }: AnyCommand, { state, revision }: Loaded<unknown>, id: string): void => {
  if (creates) {
    if (revision === null) return;
    if (state !== null) throw rejected(`${aggregate.area}-exists`, `There is already a ${aggregate.area} ${id}.`);
    throw rejected('creation-abandoned', 'This took so long that its name was given to somebody else.', {
      hint: 'Ask again, as a new request.',
    });
  }
  if (aggregate.isGone(state)) throw notFound(aggregate.area, id);
};

const assertCurrent = ({ revision }: Loaded<unknown>, { expected_revision }: Request, area: string): void => {
  if (expected_revision === undefined || expected_revision === revision) return;
  throw new Rejected('stale', 'stale-revision', `The ${area} is at revision ${revision} by now.`, {
    hint: 'Read it again and repeat the change on what you find.',
    extra: { revision },
  });
};

export const createCommandHandler = ({
  log,
  vault,
  clock,
  findLiveEndpoints,
  deadlines: given = {},
  alone_since,
}: HandlerOptions): HandleCommand => {
  const deadlines: Deadlines = { ...DEFAULT_DEADLINES, ...given };
  const loader = createLoader({ log });
  const names = createNames({ log, loader, clock, alone_since });

  const loadNeeds = async (
    command: AnyCommand,
    { data, state }: { data: unknown; state: unknown },
    tenantId: TenantId,
  ) => {
    const wanted: Record<string, Need<unknown>> = command.needs?.(data, state) ?? {};
    const known = await Promise.all(
      Object.entries(wanted).map(async ([name, need]) => {
        if (!need) return [name, null] as const;
        const loaded = await loader.load(need.aggregate, need.id);
        // What is another tenant's, or gone, answers like what never was.
        const isThere = loaded.state !== null && loaded.tenant_id === tenantId && !need.aggregate.isGone(loaded.state);
        return [name, isThere ? loaded.state : null] as const;
      }),
    );
    return Object.fromEntries(known);
  };

  const refuseWhileInUse = async (command: AnyCommand, id: string, caller: Caller) => {
    if (!command.refusedWhileInUse) return;
    const { area } = command.aggregate;
    const endpoints = await findLiveEndpoints(area, id, caller.tenant_id);
    if (endpoints.length > 0) throw inUse(area, endpoints, caller);
  };

  const answerAgain = async (command: AnyCommand, loaded: Loaded<unknown>, request: Request) => {
    const earlier = loaded.commands.get(request.command_id);
    if (!earlier || loaded.tenant_id !== request.caller.tenant_id) return null;
    if (request.request_hash !== undefined && earlier.request_hash !== request.request_hash) {
      throw new Rejected('invalid', 'idempotency-key-reused', 'This idempotency key was used with another body.');
    }
    const id = loaded.stream.slice(command.aggregate.area.length + 1);
    const then =
      loaded.revision === earlier.revision ? loaded : await loader.loadAt(command.aggregate, id, earlier.revision);
    const { revision, position } = earlier;
    return { area: command.aggregate.area, id, state: then.state, revision, position, events: [], repeated: true };
  };

  const contextOf = async (
    command: AnyCommand,
    { data, state, id }: { data: unknown; state: unknown; id: string },
    { caller, command_id }: Request,
  ): Promise<DecisionContext<Record<string, Need<unknown>>>> => {
    const seal = command.seals ? await vault.sealer(command.seals(data, id)) : null;
    return {
      now: clock(),
      id,
      command_id,
      tenant_id: caller.tenant_id,
      caller,
      needs: await loadNeeds(command, { data, state }, caller.tenant_id),
      deadlines,
      make: (purpose) => deriveId(command_id, purpose),
      seal: (text) => {
        if (!seal) throw new Error(`${command.type} seals without naming a subject`);
        return seal(text);
      },
    };
  };

  /** Appends what was decided, under the name that it claims; the stream afterwards, and the events as they stand in it. */
  const commit = async (
    command: AnyCommand,
    { data, loaded, events, id }: { data: unknown; loaded: Loaded<unknown>; events: readonly NewEvent[]; id: string },
    meta: Meta,
  ): Promise<{ after: Loaded<unknown>; recorded: readonly Recorded[] }> => {
    const holder = { aggregate: command.aggregate, id, meta };
    const { stream, state, revision } = loaded;
    const claim = command.reserves?.(data, state) ?? null;
    const reservation = claim ? await names.reserve(claim, holder) : null;
    try {
      reservation?.assertFresh();
      const appended = await log.append(stream, events, { expected: command.creates ? 'none' : (revision ?? 'none') });
      const first = appended.revision - events.length + 1;
      const recorded = events.map((event, index) => {
        const at = { stream, revision: first + index, position: appended.position, at: appended.at };
        // Appended a moment ago from facts of the catalogue.
        return { ...event, ...at } as unknown as Recorded;
      });
      return { after: loader.advance(command.aggregate, loaded, recorded), recorded };
    } catch (error) {
      // After any other error the events may stand in the log: then the name stays, or is taken over in time.
      const isRefused = error instanceof WrongExpectedRevision || error instanceof Rejected;
      if (isRefused && !isUnheard(error)) await reservation?.undo();
      throw error;
    }
  };

  /** The stream that the command is about, once the caller may do this to it. */
  const load = async (command: AnyCommand, { data, id }: { data: unknown; id: string }, request: Request) => {
    const { aggregate, creates } = command;
    refuseForPersons(command, request.caller);
    if (creates) authoriseCreation(command, data, request.caller);
    // A new id has no stream yet; the append's expectation would notice if it had.
    if (creates && !request.may_repeat) return emptyStream<unknown>(streamOf(aggregate.area, id));
    const loaded: Loaded<unknown> = await loader.load(aggregate, id);
    if (!creates) authoriseChange(command, loaded, request.caller);
    return loaded;
  };

  const attempt = async (command: AnyCommand, data: unknown, request: Request): Promise<Outcome> => {
    const { area } = command.aggregate;
    const id = command.target(data, (purpose) => deriveId(request.command_id, purpose));
    const loaded = await load(command, { data, id }, request);
    const again = await answerAgain(command, loaded, request);
    if (again) return again;
    assertOpen(command, loaded, id);
    assertCurrent(loaded, request, area);
    const { state, revision, position } = loaded;
    // Before the decision: it may know the endpoints in the way too, but only by their ids.
    await refuseWhileInUse(command, id, request.caller);
    const context = await contextOf(command, { data, state, id }, request);
    const facts = [command.decide(data, state, context)].flat() as readonly Fact[];
    if (facts.length === 0) return { area, id, state, revision: revision ?? 0, position, events: [], repeated: false };
    const meta = metaOf(command, request);
    const events = newEvents(loaded.stream, facts, meta);
    const { after, recorded } = await commit(command, { data, loaded, events, id }, meta);
    await names.releaseDropped(state, after.state, { aggregate: command.aggregate, id, meta });
    const now = { state: after.state, revision: after.revision ?? 0, position: after.position };
    return { area, id, ...now, events: recorded, repeated: false };
  };

  return async (command, input, request) => {
    const data = parseInput(command.data, input);
    for (let round = 1; ; round += 1) {
      try {
        return await attempt(command, data, round === 1 ? request : { ...request, may_repeat: true });
      } catch (error) {
        if (!(error instanceof WrongExpectedRevision)) throw error;
        if (round >= CONFLICT_ATTEMPTS) throw concurrentChange(error);
        await sleep(Math.random() * 10 * round);
      }
    }
  };
};
