import { convertToCommandError, type ResolvedEvent } from '@eventstore/db-client';
import { convertGrpcEvent } from '@eventstore/db-client/dist/utils/convertGrpcEvent.js';
import type { ReadReq, ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import type { Answers } from './client.ts';
import { type Connection, EndedEarly, isTransient, ResponseTimeout, type Retry } from './connection.ts';
import { subscribeRequest } from './read-request.ts';
import type { Strangers } from './strangers.ts';

/** A server that says nothing for so long counts as unavailable. */
const SILENCE_MS = 10_000;
/** A single event may be as large as what comes in that time on a slow link, so each repetition waits longer. */
const LONGEST_SILENCE_MS = 80_000;

/** A page ends after the event with which it has so many bytes, so that a reader has two of them in memory at most. */
export const PAGE_BYTES = 4 * 1024 * 1024;

export interface ReadServer {
  connection: Connection;
  retry: Retry;
  /** Aborts the read. */
  signal: AbortSignal;
  strangers: Strangers;
  /** Compares the log with what is known to be in it; throws `log-behind` where it differs. */
  compare(): Promise<void>;
  /** Milliseconds without any answer after which a read is begun anew. */
  silence?: number;
}

/** The event in an answer, of any system; undefined where the answer is none. */
export const eventIn = (answer: ReadResp): ResolvedEvent['event'] => {
  const resolved = answer.getEvent();
  return resolved && convertGrpcEvent<ResolvedEvent>(resolved).event;
};

/** How large an event is, as the server sends it. */
export const bytesIn = (answer: ReadResp): number => {
  const recorded = answer.getEvent()?.getEvent();
  return recorded ? recorded.getData_asU8().length + recorded.getCustomMetadata_asU8().length : 0;
};

/**
 * Takes answers until `take` returns true, which ends the read, or the server does. What is timed is the silence between
 * two answers: large events on a slow link may take as long as they need. With null no silence is too long.
 */
export const takeAnswers = (
  answers: Answers,
  take: (answer: ReadResp) => boolean,
  { signal, silence }: { signal: AbortSignal; silence: number | null },
): Promise<void> =>
  new Promise((resolve, reject) => {
    let settled = false;
    const settle = (): void => {
      settled = true;
      if (timer) clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    };
    const cancel = (): void => {
      settle();
      // Cancelled in a turn of its own (grpc-node #1464), and still read to its end, without effect.
      setImmediate(() => answers.cancel());
    };
    const fail = (error: unknown): void => {
      if (settled) return;
      cancel();
      reject(error);
    };
    const abort = (): void => fail(signal.reason);
    const timer = silence === null ? null : setTimeout(() => fail(new ResponseTimeout('a read')), silence);
    answers.on('error', (error) => fail(convertToCommandError(error)));
    answers.on('data', (answer: ReadResp) => {
      if (settled) return;
      timer?.refresh();
      try {
        if (!take(answer)) return;
        cancel();
        resolve();
      } catch (error) {
        fail(error);
      }
    });
    answers.on('end', () => {
      if (settled) return;
      settle();
      resolve();
    });
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });

interface Read<Result> {
  request: ReadReq;
  /** True where no more is wanted. */
  take(answer: ReadResp): boolean;
  /** Throws where the answers are not complete. */
  finish(): Result;
  /** The result so far, where it is of use although the read broke; null to begin anew. */
  keep(error: unknown): Result | null;
}

/** Performs a read. Where it fails for a reason that may pass, what has come is kept, and else it is begun anew. */
export const readWith = <Result>(server: ReadServer, begin: () => Read<Result>): Promise<Result> => {
  let silence = server.silence ?? SILENCE_MS;
  return server.retry(async () => {
    const { request, take, finish, keep } = begin();
    try {
      return await server.connection.use(async (client) => {
        await client.consume(request, (answers) => takeAnswers(answers, take, { signal: server.signal, silence }));
        return finish();
      });
    } catch (error) {
      if (server.signal.aborted || !isTransient(error)) throw error;
      if (error instanceof ResponseTimeout) silence = Math.min(2 * silence, LONGEST_SILENCE_MS);
      const kept = keep(error);
      if (kept === null) throw error;
      return kept;
    }
  });
};

/** Checks that all streams may be read, at the leader, without reading an event. */
export const confirmAccess = (server: ReadServer): Promise<void> =>
  readWith(server, () => {
    let confirmed = false;
    return {
      request: subscribeRequest('end', null),
      take(answer) {
        confirmed = answer.hasConfirmation();
        return confirmed;
      },
      finish() {
        if (!confirmed) throw new EndedEarly('a subscription');
      },
      keep: () => null,
    };
  });
