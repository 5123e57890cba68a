import type { Position, RecordedEvent } from '../../events/event.ts';
import type { CaughtUp } from '../../ports/log.ts';

/** What is written in one transaction. */
export interface Batch {
  events: readonly RecordedEvent[];
  /** Everything up to it is in this batch or was in one before it; null: the log is empty. */
  position: Position | null;
  /** The reader has come to the end of the log. */
  caughtUp: boolean;
}

export interface BatchOptions {
  /** Events a batch, at most. */
  max: number;
  /** Milliseconds after which a batch goes out although the log has not said that it has caught up. */
  linger_ms: number;
}

const isCaughtUp = (item: RecordedEvent | CaughtUp): item is CaughtUp => 'caughtUp' in item;

/**
 * Gathers what the log yields: a batch goes out when it is full, and at once when the log has caught up, so that a live
 * reader never waits for company. The next batch is read while the caller writes this one, and no further ahead.
 */
export async function* batches(
  source: AsyncIterable<RecordedEvent | CaughtUp>,
  { max, linger_ms }: BatchOptions,
): AsyncGenerator<Batch> {
  let events: RecordedEvent[] = [];
  let position: Position | null = null;
  let caughtUp = false;
  let ready = false;
  let ended = false;
  let failure: { error: unknown } | undefined;
  let lingering: NodeJS.Timeout | undefined;
  // Either side waits for the other with one of these.
  let filled = Promise.withResolvers<void>();
  let taken = Promise.withResolvers<void>();
  const iterator = source[Symbol.asyncIterator]();

  const release = (): void => {
    ready = true;
    clearTimeout(lingering);
    filled.resolve();
  };

  const add = (item: RecordedEvent | CaughtUp): void => {
    position = item.position;
    if (isCaughtUp(item)) {
      caughtUp = true;
      release();
      return;
    }
    events.push(item);
    caughtUp = false;
    if (events.length === 1) lingering = setTimeout(release, linger_ms);
    if (events.length >= max) release();
  };

  const pump = async (): Promise<void> => {
    try {
      while (!ended) {
        const { done, value } = await iterator.next();
        if (done) break;
        add(value);
        if (events.length >= max) await taken.promise;
      }
    } catch (error) {
      failure = { error };
    }
    ended = true;
    release();
  };

  const take = (): Batch => {
    const batch = { events, position, caughtUp };
    events = [];
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
    // Ends the subscription where the caller stopped early; `pump` may be waiting in it, so it is not awaited before.
    void iterator.return?.().catch(() => undefined);
    void pumping;
  }
}
