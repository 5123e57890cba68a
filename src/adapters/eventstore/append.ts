import {
  type EventData,
  type JSONType,
  MaxAppendSizeExceededError,
  WrongExpectedVersionError,
} from '@eventstore/db-client';
import pTimeout from 'p-timeout';
import { type ExpectedRevision, Rejected, WrongExpectedRevision } from '../../errors.ts';
import type { NewEvent, Position, RecordedEvent } from '../../events/event.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Appended } from '../../ports/log.ts';
import type { LogFence } from '../../ports/log-fence.ts';
import { waitForRetry } from '../../resilience/backoff.ts';
import { createKeyedQueue } from '../../resilience/keyed-queue.ts';
import type { Outage } from '../../resilience/outage.ts';
import { eventIdsTaken } from '../append-check.ts';
import { type Batches, createBatches, type Written } from './batch.ts';
import type { EventStoreClient } from './client.ts';
import { BACKOFF, type Connection, isTransient, logClosed, logUnavailable, ResponseTimeout } from './connection.ts';
import { damageOf } from './damage.ts';
import type { HighWaterMark } from './high-water-mark.ts';
import type { ReadServer } from './read.ts';
import { type Found, findInStream, readOne } from './read-stream.ts';
import { envelopeOf } from './row.ts';

interface AppenderOptions {
  connection: Connection;
  /** Has its own connection, so that long reads do not delay appends. */
  reading: ReadServer;
  highest: HighWaterMark;
  fence: Pick<LogFence, 'saw'>;
  /** Compares the log with what is known to be in it; throws `log-behind` where it differs. */
  compare(): Promise<void>;
  outage: Outage;
  clock: Clock;
  /** Milliseconds for which an append is retried. */
  timeout: number;
  /** Milliseconds after which an append without an answer is retried. */
  attemptTimeout: number;
}

interface Append {
  stream: string;
  events: readonly NewEvent[];
  data: readonly EventData[];
  expected: ExpectedRevision;
  at: string;
}

export interface Appender {
  append(stream: string, events: readonly NewEvent[], expected: ExpectedRevision): Promise<Appended>;
  /** Waits for pending appends; refuses later ones. */
  close(): Promise<void>;
}

// The client's type excludes numbers and null, which JSON and the server accept.
const isJson = (data: unknown): data is JSONType => data !== undefined && typeof data !== 'function';

const dataOf = (event: NewEvent, at: string): EventData => {
  const { id, type, data } = event;
  if (!isJson(data)) throw new TypeError(`event ${id} has no data`);
  return { id, type, contentType: 'application/json', data, metadata: { ...envelopeOf(event, at) } };
};

const noAnswer = (): never => {
  throw new ResponseTimeout('an append');
};

const answerOf = ({ revision, position, at }: RecordedEvent): Appended => ({ revision, position, at });

const tooLarge = ({ stream }: Append, cause: MaxAppendSizeExceededError): Rejected =>
  new Rejected('too-large', 'append-too-large', `The append to ${stream} is too large for the log.`, {
    cause,
  });

/**
 *     append -> its stream's turn -> write -> success: revision and position of a new event -> return
 *                                      |      success, but maybe a repeat -> read the event, return its position
 *                                      +- WrongExpectedVersion: ids are there -> return as the first time, else refuse
 *                                      +- time-out, lost connection, not the leader -> retry with the same ids and revision
 *
 * The server recognises a repeat by the expected revision. For `any` and `exists` it searches recent events only, so
 * this code searches the stream itself, and then names the revision that it has seen.
 */
export const createAppender = (options: AppenderOptions): Appender => {
  const { connection, reading, highest, fence, compare, outage, clock, timeout, attemptTimeout } = options;
  const queue = createKeyedQueue();
  const batchesOf = new WeakMap<EventStoreClient, Batches>();
  /**
   * Whether the server's answer has the event's own position, for appends of one and of several events: learnt from the
   * first of each kind.
   */
  const positionIsExact: { one?: boolean; several?: boolean } = {};
  let closed = false;

  const findRepeated = async ({ stream, events }: Append): Promise<Found & { repeated: Appended | undefined }> => {
    const ids = new Set<string>(events.map(({ id }) => id));
    const found = await findInStream(reading, stream, ids);
    if (found.events.length > 0 && found.events.length < ids.size) throw eventIdsTaken(stream);
    const last = found.events.find(({ id }) => id === events.at(-1)?.id);
    return { ...found, repeated: last && answerOf(last) };
  };

  const readAppended = async (append: Append, { revision }: Written): Promise<Appended> => {
    const { stream, events } = append;
    const event = await readOne(reading, stream, revision);
    if (event?.id === events.at(-1)?.id && event) return answerOf(event);
    const { repeated } = await findRepeated(append);
    if (repeated) return repeated;
    throw new ResponseTimeout(`an event just appended to ${stream}`);
  };

  const answer = async (
    append: Append,
    written: Written,
    { before, sure }: { before: Position | null; sure: boolean },
  ): Promise<Appended> => {
    const count = append.events.length === 1 ? 'one' : 'several';
    const { revision, position } = written;
    const isNew = sure && position !== null && (before === null || position > before);
    if (isNew && positionIsExact[count]) return { revision, position, at: append.at };
    const read = await readAppended(append, written);
    if (isNew) positionIsExact[count] ??= read.position === position;
    return read;
  };

  const writeOnce = ({ stream, data }: Append, expected: number | 'none'): Promise<Written> =>
    connection.use((client) => {
      const batches = batchesOf.get(client) ?? createBatches(client, compare);
      batchesOf.set(client, batches);
      const written = batches.write({ stream, events: data, expected });
      return pTimeout(written, { milliseconds: attemptTimeout, fallback: noAnswer });
    });

  const conflictOf = async (append: Append, error: WrongExpectedVersionError): Promise<Appended | undefined> => {
    const { repeated } = await findRepeated(append);
    if (repeated) return repeated;
    const { stream, expected } = append;
    // Another append came after the search of the stream.
    if (expected === 'any' || expected === 'exists') return undefined;
    const actual = error.actualVersion;
    throw new WrongExpectedRevision(stream, expected, typeof actual === 'bigint' ? Number(actual) : null);
  };

  /** One attempt; undefined where it should be repeated at once. Sets `sent` once the outcome depends on the server. */
  const attempt = async (append: Append, state: { sent: boolean }): Promise<Appended | undefined> => {
    const { stream, expected } = append;
    let target: number | 'none';
    if (expected === 'any' || expected === 'exists') {
      const { repeated, last } = await findRepeated(append);
      if (repeated) return repeated;
      if (expected === 'exists' && last === null) throw new WrongExpectedRevision(stream, expected, null);
      target = last ?? 'none';
    } else target = expected;
    const [before, sure] = [highest.get(), !state.sent];
    state.sent = true;
    try {
      const written = await writeOnce(append, target);
      const appended = await answer(append, written, { before, sure });
      highest.saw(appended.position);
      const last = append.events.at(-1);
      if (last) fence.saw({ position: appended.position, event_id: last.id, stream });
      return appended;
    } catch (error) {
      if (error instanceof WrongExpectedVersionError) return conflictOf(append, error);
      if (error instanceof MaxAppendSizeExceededError) throw tooLarge(append, error);
      throw damageOf(error, stream) ?? error;
    }
  };

  /** Retries until `deadline`, in milliseconds of `performance.now()`; it includes the wait for the stream's turn. */
  const appendWithRetries = async (append: Append, deadline: number): Promise<Appended> => {
    const state = { sent: false };
    let lastFailure: unknown = new ResponseTimeout(`an earlier append to ${append.stream}`);
    for (let failures = 0; performance.now() < deadline; failures += 1) {
      if (failures > 0) await waitForRetry(failures, BACKOFF);
      try {
        const appended = await attempt(append, state);
        outage.ok();
        if (appended) return appended;
        lastFailure = new Error(`concurrent appends to ${append.stream}`);
      } catch (error) {
        if (!isTransient(error)) throw error;
        outage.failed(error);
        lastFailure = error;
      }
    }
    throw logUnavailable(lastFailure);
  };

  return {
    async append(stream, events, expected) {
      if (closed) throw logClosed();
      const at = clock();
      const data = events.map((event) => dataOf(event, at));
      const deadline = performance.now() + timeout;
      return queue.run(stream, () => appendWithRetries({ stream, events, data, expected, at }, deadline));
    },
    async close() {
      closed = true;
      await queue.idle();
    },
  };
};
