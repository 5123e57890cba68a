import { LRUCache } from 'lru-cache';
import { historyDamaged } from '../../errors.ts';
import { type Fact, type Recorded, streamOf, toFact } from '../../events/catalog.ts';
import type { Position } from '../../events/event.ts';
import type { CommandId, TenantId } from '../../events/ids.ts';
import type { Log } from '../../ports/log.ts';
import type { Aggregate } from '../command.ts';

/** A stream folded up to its newest event. */
export interface Loaded<State> {
  stream: string;
  /** Null where the aggregate does not exist, or its creation was abandoned. */
  state: State | null;
  /** Null where the stream has no events. */
  revision: number | null;
  position: Position | null;
  tenant_id: TenantId | null;
  /**
   * Per command that appended events: its last revision and position, and the hash of its body. Later folds of the stream
   * add theirs, since a copy for each would cost more with each event: see `earlierOf`.
   */
  commands: Map<CommandId, Earlier>;
}

interface Earlier {
  revision: number;
  position: Position;
  request_hash: string | undefined;
}

/** What the command has appended to the stream, up to where it is folded. */
export const earlierOf = ({ commands, revision }: Loaded<unknown>, id: CommandId): Earlier | null => {
  const earlier = commands.get(id);
  return earlier && revision !== null && earlier.revision <= revision ? earlier : null;
};

type AnyLoaded = Loaded<unknown>;

export const emptyStream = <State>(stream: string): Loaded<State> => ({
  stream,
  state: null,
  revision: null,
  position: null,
  tenant_id: null,
  commands: new Map(),
});

const fold = <State, F extends Fact>(
  aggregate: Aggregate<State, F>,
  loaded: Loaded<State>,
  events: readonly Recorded[],
): Loaded<State> => {
  if (events.length === 0) return loaded;
  const { commands } = loaded;
  let { state, revision, position, tenant_id } = loaded;
  for (const event of events) {
    revision = event.revision;
    position = event.position;
    tenant_id ??= event.meta.tenant_id;
    // An abandoned creation has no state, and its command does not count as handled. The event only makes a late
    // creation fail.
    if (event.type === 'CreationAbandoned') continue;
    state = aggregate.evolve(state, event as unknown as Recorded<F>);
    const { command_id, request_hash } = event.meta;
    commands.set(command_id, { revision, position, request_hash });
  }
  return { stream: loaded.stream, state, revision, position, tenant_id, commands };
};

/**
 * Folds streams and caches the folds: a later load reads only the events since. A stale fold does no harm, since every
 * append names the revision that the decision was based on.
 */
export const createLoader = ({ log, capacity = 5000 }: { log: Log; capacity?: number }) => {
  const cache = new LRUCache<string, AnyLoaded>({ max: capacity });

  const keep = (loaded: AnyLoaded) => {
    if (loaded.revision === null) cache.delete(loaded.stream);
    else cache.set(loaded.stream, loaded);
  };

  const read = async <State, F extends Fact>(aggregate: Aggregate<State, F>, start: Loaded<State>, to?: number) => {
    const events: Recorded[] = [];
    const from = start.revision === null ? 0 : start.revision + 1;
    const range = to === undefined ? { from } : { from, to };
    for await (const recorded of log.readStream(start.stream, { ...range, deleted: 'is-refused' })) {
      events.push(toFact(recorded));
    }
    try {
      return fold(aggregate, start, events);
    } catch (error) {
      // Facts of BudApp's own fold; these are somebody else's, or what was between them is missing.
      throw historyDamaged(start.stream, 'its facts do not follow each other', error);
    }
  };

  return {
    /** Folds the stream up to its present end. */
    async load<State, F extends Fact>(aggregate: Aggregate<State, F>, id: string): Promise<Loaded<State>> {
      const stream = streamOf(aggregate.area, id);
      // The cast is safe: the cache is keyed by stream, and a stream has one aggregate.
      const cached = cache.get(stream) as Loaded<State> | undefined;
      const loaded = await read(aggregate, cached ?? emptyStream<State>(stream));
      keep(loaded);
      return loaded;
    },
    /** Folds the stream up to a revision. */
    async loadAt<State, F extends Fact>(
      aggregate: Aggregate<State, F>,
      id: string,
      revision: number,
    ): Promise<Loaded<State>> {
      return read(aggregate, emptyStream<State>(streamOf(aggregate.area, id)), revision);
    },
    /** Adds the events of an append to the cached fold, so that the next load need not read them. */
    advance<State, F extends Fact>(
      aggregate: Aggregate<State, F>,
      before: Loaded<State>,
      events: readonly Recorded[],
    ): Loaded<State> {
      const loaded = fold(aggregate, before, events);
      keep(loaded);
      return loaded;
    },
  };
};

export type Loader = ReturnType<typeof createLoader>;
