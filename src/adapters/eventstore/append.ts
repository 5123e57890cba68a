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
import { waitForRetry } from '../../resilience/backoff.ts';
import type { Outage } from '../../resilience/outage.ts';
import { eventIdsTaken } from '../append-check.ts';
import { type Batches, createBatches, type Written } from './batch.ts';
import type { EventStoreClient } from './client.ts';
import { BACKOFF, type Connection, isPassing, logClosed, logUnavailable, ResponseTimeout } from './connection.ts';
import type { HighWaterMark } from './high-water-mark.ts';
import { createInTurn } from './in-turn.ts';
import type { ReadServer } from './read.ts';
import { type Found, findInStream, readOne } from './read-stream.ts';
import { envelopeOf } from './row.ts';

interface AppenderOptions {
  connection: Connection;
  /** Of its own, so that much reading does not hold up appends. */
  reading: ReadServer;
  highest: HighWaterMark;
  outage: Outage;
  clock: Clock;
  /** Milliseconds for which an append is tried again. */
  timeout: number;
  /** Milliseconds until an append that nobody answers is tried again. */
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
  /** Waits for what is on its way; what comes after is refused. */
  close(): Promise<void>;
}

// The client's type leaves out numbers and null, which JSON and the server take as well.
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
  new Rejected('too-large', 'append-too-large', `The log takes no append as large as this one to ${stream}.`, {
    cause,
  });

/**
 *     append -> its stream's turn -> write -> answered: revision and position of a new event -> answer
 *                                      |      answered as if repeated, or after an attempt of unknown outcome -> read it again
 *                                      +- WrongExpectedVersion: our ids are there -> answer as the first time, else refuse
 *                                      +- mute, cut off, not the leader -> again with the same ids and expected revision
 *
 * The server recognises a repeat where the expected revision says where to look. For `any` and `exists` it only looks
 * among recent events, so that we look ourselves and then name the revision that we have seen.
 */
export const createAppender = (options: AppenderOptions): Appender => {
  const { connection, reading, highest, outage, clock, timeout, attemptTimeout } = options;
  const inTurn = createInTurn();
  const batchesOf = new WeakMap<EventStoreClient, Batches>();
  /** Whether the position that the server answers is that of the event in the log: learnt from the first of each kind. */
  const exact: { one?: boolean; several?: boolean } = {};
  let closed = false;

  const look = async ({ stream, events }: Append): Promise<Found & { repeated: Appended | undefined }> => {
    const ids = new Set<string>(events.map(({ id }) => id));
    const found = await findInStream(reading, stream, ids);
    if (found.events.length > 0 && found.events.length < ids.size) throw eventIdsTaken(stream);
    const last = found.events.find(({ id }) => id === events.at(-1)?.id);
    return { ...found, repeated: last && answerOf(last) };
  };

  const readAgain = async (append: Append, { revision }: Written): Promise<Appended> => {
    const { stream, events } = append;
    const event = await readOne(reading, stream, revision);
    if (event?.id === events.at(-1)?.id && event) return answerOf(event);
    const { repeated } = await look(append);
    if (repeated) return repeated;
    throw new ResponseTimeout(`an event just appended to ${stream}`);
  };

  const answer = async (
    append: Append,
    written: Written,
    { before, sure }: { before: Position | null; sure: boolean },
  ): Promise<Appended> => {
    const kind = append.events.length === 1 ? 'one' : 'several';
    const { revision, position } = written;
    const isNew = sure && position !== null && (before === null || position > before);
    if (isNew && exact[kind]) return { revision, position, at: append.at };
    const read = await readAgain(append, written);
    if (isNew) exact[kind] ??= read.position === position;
    return read;
  };

  const writeOnce = ({ stream, data }: Append, expected: number | 'none'): Promise<Written> =>
    connection.use((client) => {
      const batches = batchesOf.get(client) ?? createBatches(client);
      batchesOf.set(client, batches);
      const written = batches.write({ stream, events: data, expected });
      return pTimeout(written, { milliseconds: attemptTimeout, fallback: noAnswer });
    });

  const conflictOf = async (append: Append, error: WrongExpectedVersionError): Promise<Appended | undefined> => {
    const { repeated } = await look(append);
    if (repeated) return repeated;
    const { stream, expected } = append;
    // Somebody was faster than our look at the stream.
    if (expected === 'any' || expected === 'exists') return undefined;
    const actual = error.actualVersion;
    throw new WrongExpectedRevision(stream, expected, typeof actual === 'bigint' ? Number(actual) : null);
  };

  /** One attempt; undefined where another one may go better at once. Marks `sent` once the outcome depends on the server. */
  const attempt = async (append: Append, state: { sent: boolean }): Promise<Appended | undefined> => {
    const { stream, expected } = append;
    let target: number | 'none';
    if (expected === 'any' || expected === 'exists') {
      const { repeated, last } = await look(append);
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
      return appended;
    } catch (error) {
      if (error instanceof WrongExpectedVersionError) return conflictOf(append, error);
      if (error instanceof MaxAppendSizeExceededError) throw tooLarge(append, error);
      throw error;
    }
  };

  /** `deadline`, in milliseconds of `performance.now()`, is the caller's: waiting for the stream's turn counts. */
  const appendSurely = async (append: Append, deadline: number): Promise<Appended> => {
    const state = { sent: false };
    let trouble: unknown = new ResponseTimeout(`the append before one to ${append.stream}`);
    for (let failures = 0; performance.now() < deadline; failures += 1) {
      if (failures > 0) await waitForRetry(failures, BACKOFF);
      try {
        const appended = await attempt(append, state);
        outage.ok();
        if (appended) return appended;
        trouble = new Error(`others keep appending to ${append.stream}`);
      } catch (error) {
        if (!isPassing(error)) throw error;
        outage.failed(error);
        trouble = error;
      }
    }
    throw logUnavailable(trouble);
  };

  return {
    async append(stream, events, expected) {
      if (closed) throw logClosed();
      const at = clock();
      const data = events.map((event) => dataOf(event, at));
      const deadline = performance.now() + timeout;
      return inTurn.run(stream, () => appendSurely({ stream, events, data, expected, at }, deadline));
    },
    async close() {
      closed = true;
      await inTurn.idle();
    },
  };
};
