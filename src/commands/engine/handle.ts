import { historyDamaged, notFound, Rejected, rejected, WrongExpectedRevision } from '../../errors.ts';
import { definitionOf, type Fact, type Recorded, streamOf } from '../../events/catalog.ts';
import type { Meta, NewEvent, Position } from '../../events/event.ts';
import { type CommandId, deriveId, type EventId, eventIdOf, type TenantId } from '../../events/ids.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Vault } from '../../ports/vault.ts';
import { killPoint } from '../../resilience/kill-point.ts';
import type { Caller } from '../access.ts';
import type { AnyCommand, ClusterConfiguration, DecisionContext, Need, UsedArea } from '../command.ts';
import { DEFAULT_DEADLINES, type Deadlines } from '../deadlines.ts';
import { authoriseChange, authoriseCreation, refuseSystemCommand } from './authorise.ts';
import { inUse, type LiveEndpoint } from './in-use.ts';
import { parseInput } from './input.ts';
import { createLoader, earlierOf, emptyStream, type Loaded } from './load.ts';
import { createNames, type FindNamesakes, isRefusal, type Turn } from './names.ts';
import { createTurns } from './turns.ts';

/** A request, apart from the command and its data. */
export interface Request {
  caller: Caller;
  command_id: CommandId;
  correlation_id: string;
  causation_id?: EventId | null;
  /** From `If-Match`: the command is refused as stale unless the stream is at this revision, or at one of these. */
  expected_revision?: number | readonly number[];
  request_hash?: string | undefined;
  traceparent?: string | undefined;
  request_id?: string | undefined;
  /** True where the command may have been handled before: it has an idempotency key, or is an intent of a process. */
  may_repeat?: boolean;
}

interface Attempt extends Request {
  turn?: Turn;
  /** The conflict with which the attempt before ended. */
  conflict?: WrongExpectedRevision | undefined;
}

/** The result of a command. */
export interface Outcome {
  area: string;
  id: string;
  /** The state right after the command's own events, also when it is repeated later. */
  state: unknown;
  revision: number;
  position: Position | null;
  /** The appended events: none where nothing changed, or where the command had been handled before. */
  events: readonly Recorded[];
  /** True where the command had been handled before, and nothing was appended now. */
  repeated: boolean;
}

export interface HandlerOptions {
  log: Log;
  vault: Vault;
  clock: Clock;
  /** The live endpoints that use a project, model or cluster, as fresh as the log's head. */
  findLiveEndpoints(area: UsedArea, id: string, tenantId: TenantId): Promise<readonly LiveEndpoint[]>;
  /** Override those of `DEFAULT_DEADLINES`. */
  deadlines?: Partial<Deadlines>;
  /** Default: any. */
  cluster_configuration?: ClusterConfiguration;
  /**
   * The start time of this process, where it is the only one that writes to the log: a creation that began earlier was
   * lost with the process that began it.
   */
  alone_since?: string | undefined;
  /** Where there may be names from before all spellings of a name had one key. */
  findNamesakes?: FindNamesakes;
}

/** Performs a command. Throws `Rejected` where the domain, the access rules or the input refuse. */
export type HandleCommand = (command: AnyCommand, data: unknown, request: Request) => Promise<Outcome>;

const metaOf = (command: AnyCommand, request: Request): Meta => ({
  tenant_id: request.caller.tenant_id,
  command_id: request.command_id,
  command: command.type,
  correlation_id: request.correlation_id,
  causation_id: request.causation_id ?? null,
  actor: request.caller.actor,
  ...(request.request_hash === undefined ? {} : { request_hash: request.request_hash }),
  ...(request.traceparent === undefined ? {} : { traceparent: request.traceparent }),
  ...(request.request_id === undefined ? {} : { request_id: request.request_id }),
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

/** Throws where an aggregate to create exists already, or one to change is deleted. */
const assertExistence = (
  { aggregate, creates }: AnyCommand,
  { state, revision }: Loaded<unknown>,
  id: string,
): void => {
  if (creates) {
    if (revision === null) return;
    if (state !== null) throw rejected(`${aggregate.area}-exists`, `The ${aggregate.area} ${id} exists already.`);
    throw rejected('creation-abandoned', 'The request took so long that its name was given to another one.', {
      hint: 'Send it again as a new request.',
    });
  }
  if (aggregate.isGone(state)) throw notFound(aggregate.area, id);
};

/** An event behind the last one of BudApp's is somebody else's: an append would conflict with it for ever. */
const assertNothingBehind = (
  { stream, revision }: Loaded<unknown>,
  conflict: WrongExpectedRevision | undefined,
): void => {
  if (conflict?.stream !== stream || conflict.actual === null || (revision ?? -1) >= conflict.actual) return;
  throw historyDamaged(stream, `somebody has written revision ${conflict.actual}`);
};

const assertCurrent = ({ revision }: Loaded<unknown>, { expected_revision }: Request, area: string): void => {
  if (expected_revision === undefined || [expected_revision].flat().some((each) => each === revision)) return;
  throw new Rejected('stale', 'stale-revision', `The ${area} is at revision ${revision} now.`, {
    hint: 'Read it again and base the change on the new revision.',
    extra: { revision },
  });
};

export const createCommandHandler = ({
  log,
  vault,
  clock,
  findLiveEndpoints,
  deadlines: overrides = {},
  cluster_configuration = 'any',
  alone_since,
  findNamesakes,
}: HandlerOptions): HandleCommand => {
  const deadlines: Deadlines = { ...DEFAULT_DEADLINES, ...overrides };
  const loader = createLoader({ log });
  const names = createNames({ log, loader, clock, alone_since, findNamesakes });
  const turns = createTurns();

  const loadNeeds = async (command: AnyCommand, { data, state }: { data: unknown; state: unknown }, caller: Caller) => {
    const wanted: Record<string, Need<unknown>> = command.needs?.(data, state, caller) ?? {};
    const known = await Promise.all(
      Object.entries(wanted).map(async ([name, need]) => {
        if (!need) return [name, null] as const;
        const loaded = await loader.load(need.aggregate, need.id);
        // An aggregate of another tenant, or a deleted one, counts as unknown.
        const exists =
          loaded.state !== null && loaded.tenant_id === caller.tenant_id && !need.aggregate.isGone(loaded.state);
        return [name, exists ? loaded.state : null] as const;
      }),
    );
    return Object.fromEntries(known);
  };

  const refuseWhileInUse = async (command: AnyCommand, id: string, caller: Caller) => {
    const { refusedWhileInUse: area } = command;
    if (!area) return;
    const endpoints = await findLiveEndpoints(area, id, caller.tenant_id);
    if (endpoints.length > 0) throw inUse(area, endpoints, caller);
  };

  const outcomeOfEarlier = async (command: AnyCommand, loaded: Loaded<unknown>, request: Request) => {
    const earlier = earlierOf(loaded, request.command_id);
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
      needs: await loadNeeds(command, { data, state }, caller),
      deadlines,
      cluster_configuration,
      make: (purpose) => deriveId(command_id, purpose),
      seal: (text) => {
        if (!seal) throw new Error(`${command.type} calls seal but names no subject to seal for`);
        return seal(text);
      },
    };
  };

  /**
   * Reserves the name that the command claims, and appends its events. Returns the stream afterwards and the events as
   * recorded.
   */
  const commit = async (
    command: AnyCommand,
    { data, loaded, events, id }: { data: unknown; loaded: Loaded<unknown>; events: readonly NewEvent[]; id: string },
    { meta, turn }: { meta: Meta; turn: Turn | null },
  ): Promise<{ after: Loaded<unknown>; recorded: readonly Recorded[] }> => {
    const holder = { aggregate: command.aggregate, id, meta };
    const { stream, state, revision } = loaded;
    const claim = command.reserves?.(data, state) ?? null;
    const reservation = claim ? await names.reserve(claim, holder) : null;
    if (reservation) killPoint('command: name reserved');
    try {
      reservation?.assertFresh();
      turn?.assertFresh();
      const appended = await log.append(stream, events, { expected: command.creates ? 'none' : (revision ?? 'none') });
      const first = appended.revision - events.length + 1;
      const recorded = events.map((event, index) => {
        const at = { stream, revision: first + index, position: appended.position, at: appended.at };
        // The type is known: the events were built from facts of the catalogue.
        return { ...event, ...at } as unknown as Recorded;
      });
      return { after: loader.advance(command.aggregate, loaded, recorded), recorded };
    } catch (error) {
      // After any other error the events may be in the log. The name stays reserved then; another holder can take it
      // over once the reservation is old.
      if (isRefusal(error)) await reservation?.undo();
      throw error;
    }
  };

  /** Loads the stream of the command and authorises the caller. */
  const load = async (command: AnyCommand, { data, id }: { data: unknown; id: string }, request: Attempt) => {
    const { aggregate, creates } = command;
    refuseSystemCommand(command, request.caller);
    if (creates) authoriseCreation(command, data, request.caller);
    // A new id has no stream yet; if it has one, the append's expected revision fails.
    if (creates && !request.may_repeat) return emptyStream<unknown>(streamOf(aggregate.area, id));
    const loaded: Loaded<unknown> = await loader.load(aggregate, id);
    assertNothingBehind(loaded, request.conflict);
    if (!creates) authoriseChange(command, loaded, request.caller);
    return loaded;
  };

  const attempt = async (command: AnyCommand, data: unknown, request: Attempt): Promise<Outcome> => {
    const { area } = command.aggregate;
    const id = command.target(data, (purpose) => deriveId(request.command_id, purpose));
    const loaded = await load(command, { data, id }, request);
    const repeated = await outcomeOfEarlier(command, loaded, request);
    if (repeated) return repeated;
    assertExistence(command, loaded, id);
    assertCurrent(loaded, request, area);
    const { state, revision, position } = loaded;
    // Comes before the decision, which knows the live endpoints only by their ids.
    await refuseWhileInUse(command, id, request.caller);
    const context = await contextOf(command, { data, state, id }, request);
    const facts = [command.decide(data, state, context)].flat() as readonly Fact[];
    if (facts.length === 0) return { area, id, state, revision: revision ?? 0, position, events: [], repeated: false };
    const meta = metaOf(command, request);
    const holder = { aggregate: command.aggregate, id, meta };
    const { turn = null } = request;
    const alone = turn ? null : (command.alone?.(data, state) ?? null);
    // Decided anew in the turn, on what is there then.
    if (alone !== null) return names.inTurn(alone, holder, (turn) => attempt(command, data, { ...request, turn }));
    const events = newEvents(loaded.stream, facts, meta);
    const { after, recorded } = await commit(command, { data, loaded, events, id }, { meta, turn });
    killPoint('command: facts appended');
    const isReleased = await names.releaseDropped(state, after.state, holder);
    if (isReleased) killPoint('command: names released');
    const now = { state: after.state, revision: after.revision ?? 0, position: after.position };
    return { area, id, ...now, events: recorded, repeated: false };
  };

  return async (command, input, request) => {
    const data = parseInput(command.data, input);
    let conflict: WrongExpectedRevision | undefined;
    const work = async (round: number): Promise<Outcome> => {
      try {
        return await attempt(command, data, round === 1 ? request : { ...request, may_repeat: true, conflict });
      } catch (error) {
        if (error instanceof WrongExpectedRevision) conflict = error;
        throw error;
      }
    };
    if (command.creates) return turns.retry(work);
    const id = command.target(data, (purpose) => deriveId(request.command_id, purpose));
    return turns.take(streamOf(command.aggregate.area, id), work);
  };
};
