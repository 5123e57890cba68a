import type streams from '@eventstore/db-client/generated/streams_pb.js';
import type { ServerWritableStream } from '@grpc/grpc-js';
import type { RpcError } from './rpc-errors.ts';

/** Where the bytes of a read's answers go. */
export type ReadCall = ServerWritableStream<streams.ReadReq, Buffer>;

/** Writes at the pace of the client. */
export interface Outlet {
  /** false once the client has gone or the call has ended. */
  isOpen(): boolean;
  /** false where the client is slower: wait for `ready` then. */
  write(message: Buffer): boolean;
  /** Resolves when it takes more or has closed. */
  ready(): Promise<void>;
  /** Aborts once the call is over. */
  signal: AbortSignal;
  end(): void;
  fail(error: RpcError): void;
}

export const createOutlet = (call: ReadCall): Outlet => {
  const over = new AbortController();
  let awaited: PromiseWithResolvers<void> | undefined;
  const wake = (): void => {
    awaited?.resolve();
    awaited = undefined;
  };
  const close = (): void => {
    over.abort();
    wake();
  };
  call.on('drain', wake);
  call.on('cancelled', close);
  call.on('close', close);

  return {
    isOpen: () => !over.signal.aborted,
    write: (message) => over.signal.aborted || call.write(message),
    ready() {
      if (over.signal.aborted || !call.writableNeedDrain) return Promise.resolve();
      awaited ??= Promise.withResolvers();
      return awaited.promise;
    },
    signal: over.signal,
    end() {
      if (over.signal.aborted) return;
      close();
      call.end();
    },
    fail(error) {
      if (over.signal.aborted) return;
      close();
      call.emit('error', error);
    },
  };
};
