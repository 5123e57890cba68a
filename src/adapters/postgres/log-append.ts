import type { Pool } from 'pg';
import { z } from 'zod';
import { type ExpectedRevision, WrongExpectedRevision } from '../../errors.ts';
import { type NewEvent, Position } from '../../events/event.ts';
import type { Appended } from '../../ports/log.ts';
import { waitForRetry } from '../../resilience/backoff.ts';
import { eventIdsTaken } from '../append-check.ts';
import { isTransient, logClosed, logUnavailable, queryWithin } from './connection.ts';
import { types } from './log-row.ts';

/** Enough for an efficient commit; a batch of this size still takes only some tens of milliseconds. */
const MAX_BATCH_EVENTS = 2000;
const BACKOFF = { first_ms: 25, longest_ms: 1000 };

interface Append {
  stream: string;
  events: readonly NewEvent[];
  data: readonly string[];
  meta: readonly string[];
  expected: ExpectedRevision;
  /** The deadline in milliseconds of `performance.now()`. */
  deadline: number;
  /** Set once a batch was refused: this append may be the reason, so it is sent alone. */
  alone: boolean;
  resolve: (appended: Appended) => void;
  reject: (error: unknown) => void;
}

const Answer = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.enum(['appended', 'repeated']), revision: z.int(), position: Position, at: z.string() }),
  z.object({ outcome: z.literal('conflict'), revision: z.int().nullable() }),
  z.object({ outcome: z.literal('ids-taken') }),
]);
const Answers = z.array(Answer);

const APPEND = 'select outcome, revision, "position", at from append_to_log($1, $2, $3, $4, $5, $6, $7, $8, $9)';

const expectedCode = (expected: ExpectedRevision): number => {
  switch (expected) {
    case 'none':
      return -1;
    case 'exists':
      return -2;
    case 'any':
      return -3;
    default:
      return expected;
  }
};

const parametersOf = (batch: readonly Append[]): unknown[] => {
  const events = batch.flatMap(({ events }) => events);
  return [
    batch.map(({ stream }) => stream),
    batch.map(({ expected }) => expectedCode(expected)),
    batch.map(({ events }) => events.length),
    batch.flatMap(({ events }, index) => events.map(() => index + 1)),
    events.map(({ id }) => id),
    events.map(({ type }) => type),
    events.map(({ version }) => version),
    batch.flatMap(({ data }) => data),
    batch.flatMap(({ meta }) => meta),
  ];
};

const settle = ({ stream, expected, resolve, reject }: Append, answer: z.output<typeof Answer>): void => {
  switch (answer.outcome) {
    case 'appended':
    case 'repeated':
      resolve({ revision: answer.revision, position: answer.position, at: answer.at });
      break;
    case 'conflict':
      reject(new WrongExpectedRevision(stream, expected, answer.revision));
      break;
    case 'ids-taken':
      reject(eventIdsTaken(stream));
      break;
  }
};

export interface Appender {
  append(stream: string, events: readonly NewEvent[], expected: ExpectedRevision): Promise<Appended>;
  /** Waits for pending appends; refuses later ones. */
  close(): Promise<void>;
}

/**
 * Group commit: while one batch is written, the next one is collected. A batch has at most one append per stream, since
 * the expected revision of a second one depends on the outcome of the first.
 *
 *     append -> waiting -> batch -> append_to_log() -> each caller's result
 *                  ^         |
 *                  +---------+ connection lost: retried with the same ids, so that an unconfirmed commit is recognised
 */
export const createAppender = ({ pool, timeout }: { pool: Pool; timeout: number }): Appender => {
  let waiting: Append[] = [];
  let flushing: Promise<void> | undefined;
  let closed = false;

  const takeBatch = (): Append[] => {
    const batch: Append[] = [];
    const later: Append[] = [];
    const streams = new Set<string>();
    const ids = new Set<string>();
    let size = 0;
    for (const append of waiting) {
      const fits =
        batch.length === 0 || (!batch[0]?.alone && !append.alone && size + append.events.length <= MAX_BATCH_EVENTS);
      if (fits && !streams.has(append.stream) && !append.events.some(({ id }) => ids.has(id))) {
        batch.push(append);
        size += append.events.length;
        for (const { id } of append.events) ids.add(id);
      } else later.push(append);
      // Also blocks the stream of an append that waits: a later one must not overtake it.
      streams.add(append.stream);
    }
    waiting = later;
    return batch;
  };

  const send = async (batch: readonly Append[]): Promise<void> => {
    const { rows } = await queryWithin(pool, {
      name: 'append_to_log',
      text: APPEND,
      values: parametersOf(batch),
      types,
    });
    const answers = Answers.parse(rows);
    batch.forEach((append, index) => {
      const answer = answers[index];
      if (answer === undefined) throw new TypeError('append_to_log() returned fewer results than appends');
      settle(append, answer);
    });
  };

  /** Requeues the appends that may succeed later and rejects the others. Returns whether to pause first. */
  const recover = (batch: readonly Append[], error: unknown): boolean => {
    const transient = isTransient(error);
    const [only, ...others] = batch;
    if (!transient && only !== undefined && others.length === 0) only.reject(error);
    else if (!transient) waiting.unshift(...batch.map((append) => ({ ...append, alone: true })));
    else {
      const now = performance.now();
      for (const append of batch) if (append.deadline <= now) append.reject(logUnavailable(error));
      waiting.unshift(...batch.filter(({ deadline }) => deadline > now));
    }
    return transient;
  };

  const flush = async (): Promise<void> => {
    let failures = 0;
    while (waiting.length > 0) {
      const batch = takeBatch();
      try {
        await send(batch);
        failures = 0;
      } catch (error) {
        if (recover(batch, error)) {
          failures += 1;
          await waitForRetry(failures, BACKOFF);
        }
      }
      // Lets the callers that just got their results append again, so that the next batch contains those appends.
      await new Promise(setImmediate);
    }
    flushing = undefined;
  };

  return {
    append: (stream, events, expected) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(logClosed());
        const data = events.map((event) => JSON.stringify(event.data));
        const meta = events.map((event) => JSON.stringify(event.meta));
        const deadline = performance.now() + timeout;
        waiting.push({ stream, events, data, meta, expected, deadline, alone: false, resolve, reject });
        flushing ??= Promise.resolve().then(flush);
      }),
    close: async () => {
      closed = true;
      await flushing;
    },
  };
};
