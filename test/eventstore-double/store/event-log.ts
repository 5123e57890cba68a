import { randomUUID } from 'node:crypto';
import { createRecentEvents, type RecentEvents } from './recent-events.ts';
import { type ProposedEvent, positionAfter, type StoredEvent, storedEvent } from './stored-event.ts';
import { HIDES_NOTHING, metadataIn, type StreamMetadata } from './stream-metadata.ts';

export type ExpectedRevision = number | 'no_stream' | 'stream_exists' | 'any';

/** The position of the first event; before it, a real server keeps a record of its own. */
const FIRST_POSITION = 1788;

/** What a real server writes by itself when it starts for the first time, so that `$all` never begins with a client's event. */
const SYSTEM_EVENTS = [
  { stream: '$$$stats', type: '$metadata', data: { $maxAge: 2592000 } },
  { stream: '$users', type: '$User', data: 'admin' },
  { stream: '$user-admin', type: '$UserCreated', data: { loginName: 'admin', fullName: 'Event Store Administrator' } },
] as const;

export const jsonEvent = (type: string, data: unknown): ProposedEvent => ({
  id: randomUUID(),
  type,
  contentType: 'application/json',
  data: Buffer.from(JSON.stringify(data)),
  metadata: Buffer.alloc(0),
});

export interface EventLogOptions {
  /** false: `$all` begins empty, unlike on a real server. */
  systemEvents?: boolean;
  /** How much memory goes to the ids by which repeats with `any` are recognised; 8 MiB on the real server. */
  recentEventsBytes?: number;
}

export const metadataStream = (stream: string): string => `$$${stream}`;

/**
 * The log in memory: all events in order, where each stream's events are, and what was deleted. Events are staged first
 * and become visible when they are durable.
 */
export interface EventLog {
  readonly recent: RecentEvents;
  /** How many events readers may see. */
  visible(): number;
  /** Visible or not. */
  event(index: number): StoredEvent | undefined;
  /** The indices of the events of a stream, in order, whether visible or not. */
  indicesOf(stream: string): readonly number[];
  /** Revision of the newest event, -1 where the stream has none, `Infinity` where it or the stream of which it is the metadata is tombstoned. */
  revisionOf(stream: string): number;
  /** Deleted, but not tombstoned: hidden as a whole, until something is appended. */
  isDeleted(stream: string): boolean;
  /** Reads of the stream begin here now, by its `$tb`, `$maxCount` and `$maxAge`. */
  firstShown(stream: string): number;
  /** Where the next event will lie. */
  end(): number;
  /** Index of the first event at this position or behind it. */
  indexAt(position: number): number;
  stage(stream: string, event: ProposedEvent, revision?: number): StoredEvent;
  publish(): void;
  /** All events, visible or not. */
  all(): readonly StoredEvent[];
  restore(events: readonly StoredEvent[]): void;
  /** Takes the newest events away again, as a failover to a node that never got them does. */
  truncate(count: number): void;
  clear(): void;
}

/** The stream of which this one is the metadata. */
const describedBy = (stream: string): string | undefined => (stream.startsWith('$$') ? stream.slice(2) : undefined);

export const createEventLog = ({
  systemEvents = true,
  recentEventsBytes = 8 * 1024 * 1024,
}: EventLogOptions): EventLog => {
  const recent = createRecentEvents(recentEventsBytes);
  const events: StoredEvent[] = [];
  const streams = new Map<string, number[]>();
  /** By the stream that it describes. */
  const metadata = new Map<string, StreamMetadata>();
  let visible = 0;

  const last = (stream: string): StoredEvent | undefined => events[streams.get(stream)?.at(-1) ?? -1];
  const end = (): number => {
    const newest = events.at(-1);
    return newest === undefined ? FIRST_POSITION : positionAfter(newest);
  };

  const revisionOf = (stream: string): number => {
    const described = describedBy(stream);
    if (described !== undefined && last(described)?.revision === Infinity) return Infinity;
    return last(stream)?.revision ?? -1;
  };

  const firstYounger = (stream: string, ageMs: number): number => {
    const indices = streams.get(stream) ?? [];
    const first = indices.findIndex((index) => (events[index]?.created ?? 0) > Date.now() - ageMs);
    return first === -1 ? indices.length : first;
  };

  const add = (event: StoredEvent): void => {
    const indices = streams.get(event.stream);
    if (indices === undefined) streams.set(event.stream, [events.length]);
    else indices.push(events.length);
    events.push(event);
    const described = event.type === '$metadata' ? describedBy(event.stream) : undefined;
    if (described !== undefined) metadata.set(described, metadataIn(event));
  };

  const stage = (stream: string, proposed: ProposedEvent, revision = (last(stream)?.revision ?? -1) + 1) => {
    const event = storedEvent(proposed, { stream, revision, position: end() });
    add(event);
    recent.remember(event.id, { stream, revision });
    return event;
  };

  const rebuild = (kept: readonly StoredEvent[]): void => {
    events.length = 0;
    streams.clear();
    metadata.clear();
    recent.clear();
    for (const event of kept) add(event);
    visible = events.length;
  };

  const begin = (): void => {
    rebuild([]);
    if (systemEvents) for (const { stream, type, data } of SYSTEM_EVENTS) stage(stream, jsonEvent(type, data));
    recent.clear();
    visible = events.length;
  };
  begin();

  return {
    recent,
    visible: () => visible,
    event: (index) => events[index],
    indicesOf: (stream) => streams.get(stream) ?? [],
    revisionOf,
    isDeleted: (stream) => metadata.get(stream)?.truncateBefore === Infinity,
    firstShown(stream) {
      const { truncateBefore, maxCount, maxAgeMs } = metadata.get(stream) ?? HIDES_NOTHING;
      const byCount = revisionOf(stream) - maxCount + 1;
      return Math.max(0, truncateBefore, byCount, maxAgeMs === Infinity ? 0 : firstYounger(stream, maxAgeMs));
    },
    end,
    indexAt(position) {
      let [low, high] = [0, visible];
      while (low < high) {
        const middle = (low + high) >>> 1;
        if ((events[middle]?.position ?? Infinity) < position) low = middle + 1;
        else high = middle;
      }
      return low;
    },
    stage,
    publish() {
      visible = events.length;
    },
    all: () => events,
    restore: rebuild,
    truncate(count) {
      rebuild(events.slice(0, Math.max(0, events.length - count)));
    },
    clear: begin,
  };
};
