import type { Position, RecordedEvent } from '../../events/event.ts';
import { eventSize } from '../../events/event-size.ts';
import type { EventId } from '../../events/ids.ts';
import type { CaughtUp } from '../../ports/log.ts';

/** The events that are written in one transaction. */
export interface Batch {
  events: readonly RecordedEvent[];
  /** All events up to this position are in this batch or an earlier one; null where the log is empty. */
  position: Position | null;
  /** The id of the event at `position`; null where it is not known. */
  event_id: EventId | null;
  /** True where the reader has reached the end of the log. */
  caughtUp: boolean;
}

export interface BatchOptions {
  /** Maximum number of events per batch. */
  max: number;
  /** Milliseconds after which a batch is passed on although the log has not reported that the reader has caught up. */
  linger_ms: number;
}

/** Whatever `max` says, a batch ends with the event with which it has so many bytes. */
const MAX_BYTES = 16 * 1024 * 1024;

const isCaughtUp = (item: RecordedEvent | CaughtUp): item is CaughtUp => 'caughtUp' in item;

/**
 * Collects the log's events into batches. A batch is passed on when it is full, and at once when the reader has caught
 * up, so a live reader never waits for more events. The next batch is read while the caller writes this one; no more
 * are read ahead.
 */
export async function* batches(
  source: AsyncIterable<RecordedEvent | CaughtUp>,
  { max, linger_ms }: BatchOptions,
): AsyncGenerator<Batch> {
  let events: RecordedEvent[] = [];
  let position: Position | null = null;
  let event_id: EventId | null = null;
  let bytes = 0;
  let caughtUp = false;
  let ready = false;
  let ended = false;
  let failure: { error: unknown } | undefined;
  let lingering: NodeJS.Timeout | undefined;
  // Producer and consumer wait for each other with these promises.
  let filled = Promise.withResolvers<void>();
  let taken = Promise.withResolvers<void>();
  const iterator = source[Symbol.asyncIterator]();

  const release = (): void => {
    ready = true;
    clearTimeout(lingering);
    filled.resolve();
  };

  const isFull = (): boolean => events.length >= max || bytes >= MAX_BYTES;

  const add = (item: RecordedEvent | CaughtUp): void => {
    position = item.position;
    event_id = isCaughtUp(item) ? (item.event_id ?? null) : item.id;
    if (isCaughtUp(item)) {
      caughtUp = true;
      release();
      return;
    }
    events.push(item);
    bytes += eventSize(item);
    caughtUp = false;
    if (events.length === 1) lingering = setTimeout(release, linger_ms);
    if (isFull()) release();
  };

  const pump = async (): Promise<void> => {
    try {
      while (!ended) {
        const { done, value } = await iterator.next();
        if (done) break;
        add(value);
        if (isFull()) await taken.promise;
      }
    } catch (error) {
      failure = { error };
    }
    ended = true;
    release();
  };

  const take = (): Batch => {
    const batch = { events, position, event_id, caughtUp };
    events = [];
    bytes = 0;
    ready = false;
    caughtUp = false;
    clearTimeout(lingering);
    taken.resolve();
    taken = Promise.withResolvers<void>();
    filled = Promise.withResolvers<void>();
    return batch;
  };

  const pumping = pump();
  try {
    while (true) {
      if (!ready && !ended) await filled.promise;
      if (ended && events.length === 0 && !caughtUp) break;
      yield take();
    }
    if (failure) throw failure.error;
  } finally {
    ended = true;
    clearTimeout(lingering);
    taken.resolve();
    // Ends the subscription where the caller stopped early. Not awaited, since `pump` may be waiting in it.
    void iterator.return?.().catch(() => undefined);
    void pumping;
  }
}
