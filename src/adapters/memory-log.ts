import { type ExpectedRevision, Rejected, unknownPosition, WrongExpectedRevision } from '../errors.ts';
import type { NewEvent, Position, RecordedEvent } from '../events/event.ts';
import type { Clock } from '../ports/clock.ts';
import type { Appended, CaughtUp, Log, LogImport, ReadStreamOptions, SubscribeOptions } from '../ports/log.ts';
import { checkAppend, eventIdsTaken } from './append-check.ts';
import { caughtUpAt } from './caught-up.ts';
import { createLogFilter } from './log-filter.ts';

const isPosition = (text: string): text is Position => /^\d{16}$/.test(text);

/** Positions count from 1, zero-padded so that they sort as text. */
const positionOf = (number: number): Position => {
  const text = String(number).padStart(16, '0');
  if (!isPosition(text)) throw new RangeError(`not a position: ${number}`);
  return text;
};

const numberOf = (position: Position | 'start'): number => {
  if (position === 'start') return 0;
  if (isPosition(position)) return Number(position);
  throw new Rejected('invalid', 'unknown-position', `${position} is not a position of this log.`);
};

const asExpected = (actual: number | null, expected: ExpectedRevision): boolean => {
  switch (expected) {
    case 'any':
      return true;
    case 'none':
      return actual === null;
    case 'exists':
      return actual !== null;
    default:
      return actual === expected;
  }
};

/** Serialises and parses an event as a real log does, so that only JSON comes back. */
const throughJson = <T>(value: T): T => JSON.parse(JSON.stringify(value));

/** The log in memory, for tests. It keeps the same promises as the others, except durability. */
export const createMemoryLog = ({
  clock = () => new Date().toISOString(),
}: {
  clock?: Clock;
} = {}): Log & LogImport => {
  const all: RecordedEvent[] = [];
  const streams = new Map<string, RecordedEvent[]>();
  const byId = new Map<string, RecordedEvent>();
  let closed = false;
  let changed = Promise.withResolvers<void>();

  const checkOpen = (): void => {
    if (closed) throw new Rejected('unavailable', 'log-closed', 'The log has been closed.');
  };

  const wake = (): void => {
    changed.resolve();
    changed = Promise.withResolvers<void>();
  };

  /** Returns the first answer where the stream has these events already. */
  const findRepeated = (stream: string, events: readonly NewEvent[]): Appended | undefined => {
    const known = events.flatMap(({ id }) => byId.get(id) ?? []);
    if (known.length === 0) return undefined;
    const last = known.at(-1);
    if (!last || known.length < events.length || known.some((event) => event.stream !== stream))
      throw eventIdsTaken(stream);
    return { revision: last.revision, position: last.position, at: last.at };
  };

  const keep = ({ id, type, version, data, meta }: NewEvent, stream: string, at: string): void => {
    const history = streams.get(stream) ?? [];
    const recorded = {
      ...throughJson({ id, type, version, data, meta }),
      stream,
      revision: history.length,
      position: positionOf(all.length + 1),
      at,
    };
    all.push(recorded);
    history.push(recorded);
    streams.set(stream, history);
    byId.set(id, recorded);
  };

  const append = (stream: string, events: readonly NewEvent[], expected: ExpectedRevision): Appended => {
    checkOpen();
    checkAppend(stream, events, expected);
    const repeated = findRepeated(stream, events);
    if (repeated) return repeated;
    const actual = streams.get(stream)?.at(-1)?.revision ?? null;
    if (!asExpected(actual, expected)) throw new WrongExpectedRevision(stream, expected, actual);
    const at = clock();
    for (const event of events) keep(event, stream, at);
    wake();
    return { revision: (actual ?? -1) + events.length, position: positionOf(all.length), at };
  };

  const importEvents = (events: readonly RecordedEvent[]): void => {
    checkOpen();
    for (const { stream, revision, at, ...event } of events) {
      const actual = streams.get(stream)?.length ?? 0;
      if (revision !== actual)
        throw new WrongExpectedRevision(
          stream,
          revision === 0 ? 'none' : revision - 1,
          actual === 0 ? null : actual - 1,
        );
      keep(event, stream, at);
    }
    wake();
  };

  async function* readStream(
    stream: string,
    { from = 0, to = Number.POSITIVE_INFINITY, backwards = false, limit }: ReadStreamOptions = {},
  ): AsyncGenerator<RecordedEvent> {
    checkOpen();
    const wanted = (streams.get(stream) ?? []).filter(({ revision }) => revision >= from && revision <= to);
    if (backwards) wanted.reverse();
    for (const event of wanted.slice(0, limit)) yield structuredClone(event);
  }

  async function* subscribe({
    after,
    after_id = '',
    filter,
    live,
    signal,
  }: SubscribeOptions): AsyncGenerator<RecordedEvent | CaughtUp> {
    const passes = createLogFilter(filter);
    const aborted = new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }));
    let next = numberOf(after);
    if (after !== 'start' && after_id !== '' && !all[next - 1]?.id.startsWith(after_id)) throw unknownPosition(after);
    while (!signal?.aborted) {
      checkOpen();
      const change = changed.promise;
      const event = all[next];
      if (event) {
        next += 1;
        if (passes(event)) yield structuredClone(event);
        if (next < all.length) continue;
      }
      if (signal?.aborted) return;
      yield caughtUpAt(next === 0 ? null : positionOf(next), all[next - 1]?.id);
      if (!live) return;
      if (next >= all.length) await Promise.race([change, aborted]);
    }
  }

  return {
    append: async (stream, events, { expected }) => append(stream, events, expected),
    importEvents: async (events) => importEvents(events),
    readStream,
    subscribe,
    head: async () => {
      checkOpen();
      return all.length === 0 ? null : positionOf(all.length);
    },
    eventAt: async (position) => {
      checkOpen();
      const event = all[numberOf(position) - 1];
      return event ? { id: event.id } : 'beyond-end';
    },
    close: async () => {
      closed = true;
      wake();
    },
  };
};
