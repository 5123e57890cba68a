import type { EventStoreClient } from './client.ts';
import { type Connection, ResponseTimeout, type Retry } from './connection.ts';

/** More than any page takes; a server that does not answer for so long counts as unavailable. */
const PAGE_TIMEOUT_MS = 10_000;

/** How many events may be buffered between the connection and the reader. */
export const BUFFER = { highWaterMark: 512 };

export interface ReadServer {
  connection: Connection;
  retry: Retry;
  /** Aborts the read. */
  signal: AbortSignal;
  /** The time-out of a page in milliseconds. */
  pageTimeout?: number;
}

/** The readable stream that the client returns. */
interface Source<T> {
  on(event: 'data', listener: (item: T) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  cancel(): Promise<void>;
}

/** Reads a bounded stream to its end. */
const drain = <T>(source: Source<T>, take: (item: T) => void, { signal, pageTimeout }: ReadServer): Promise<void> =>
  new Promise((resolve, reject) => {
    let settled = false;
    const settle = (): void => {
      settled = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    };
    const fail = (error: unknown): void => {
      if (settled) return;
      settle();
      // The stream is cancelled and still read to its end, without effect: if it were destroyed or the iteration
      // stopped, the client would keep the call for ever.
      source.cancel().catch(() => undefined);
      reject(error);
    };
    const abort = (): void => fail(signal.reason);
    const timer = setTimeout(() => fail(new ResponseTimeout('a read')), pageTimeout ?? PAGE_TIMEOUT_MS);
    source.on('error', fail);
    source.on('data', (item) => {
      if (settled) return;
      try {
        take(item);
      } catch (error) {
        fail(error);
      }
    });
    source.on('end', () => {
      if (settled) return;
      settle();
      resolve();
    });
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });

interface Read<T> {
  open(client: EventStoreClient): Source<T>;
  take(item: T): void;
}

/** Performs a read, and repeats it from the beginning where it fails for a reason that may pass. */
export const readWith = <T, Result>(server: ReadServer, begin: () => Read<T> & { finish(): Result }): Promise<Result> =>
  server.retry(() =>
    server.connection.use(async (client) => {
      const { open, take, finish } = begin();
      await drain(open(client), take, server);
      return finish();
    }),
  );
