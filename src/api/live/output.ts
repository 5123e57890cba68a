import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Position } from '../../events/event.ts';
import { type Batch, type Encoding, emptyBatch } from './batch.ts';
import { createCork } from './cork.ts';
import type { Frame } from './frame.ts';
import { progressText } from './notice.ts';

/** Why a stream ends; the transport maps it to its own codes. */
export type Ending = 'too-slow' | 'token-expired' | 'access-lost' | 'unavailable' | 'server-error' | 'going-away';

/** Sends frames to a client, over WebSocket or as server-sent events. */
export interface Transport {
  encoding: Encoding;
  /** Writes whole frames in the transport's encoding. The bytes are shared with other clients. */
  write(bytes: Buffer): void;
  /** Sends a heartbeat, which keeps the connection open through proxies. */
  beat(): void;
  /** Bytes that were sent and that the client has not received yet. */
  buffered(): number;
  /** What was written before is sent first, as far as the client takes it within `grace_ms`. */
  end(ending: Ending, options: { grace_ms: number }): void;
}

export interface OutputOptions {
  transport: Transport;
  /** Aborted once the stream ends. */
  signal: AbortSignal;
  onTooSlow(): void;
}

/** What one client is sent. */
export interface Output {
  /** The client has all that is for it up to here; null where that is nothing. */
  sentTo(): Position | null;
  startAt(position: Position | null): void;
  write(batch: Batch): void;
  /** A message of the stream itself. */
  tell(text: string): void;
  /** Writes the frame soon, together with others. Waits until the client has received enough. */
  send(frame: Frame): Promise<void>;
  /** Writes what is still to be written. */
  flush(): void;
  /** Says now and then that a replay goes on, where it finds nothing. Returns the function that stops it. */
  tellProgress(scanned: () => Position | null): () => void;
  close(): void;
}

const PAUSE_BYTES = 256 * 1024;
const PAUSE_MS = 10;
/** A client that receives nothing for this long during the replay is disconnected as too slow. */
const MAX_PAUSE_MS = 30_000;
/** Frames of a replay are written together up to this size. */
const REPLAY_BATCH = 64 * 1024;
/** A replay that finds nothing for this long says that it goes on. */
const PROGRESS_MS = 2000;

export const createOutput = ({ transport, signal, onTooSlow }: OutputOptions): Output => {
  let sentTo: Position | null = null;
  let pending: Batch = emptyBatch();
  let wroteAt = performance.now();

  const write = (batch: Batch): void => {
    if (batch.last === null || signal.aborted) return;
    transport.write(batch.bytes(transport.encoding));
    sentTo = batch.last.position;
    wroteAt = performance.now();
  };

  const flush = (): void => {
    write(pending);
    pending = emptyBatch();
  };
  const cork = createCork(flush);

  /** Waits until the client has received enough, so that a long replay is as fast as the client. */
  const room = async (): Promise<void> => {
    const start = performance.now();
    while (!signal.aborted && transport.buffered() > PAUSE_BYTES) {
      if (performance.now() - start > MAX_PAUSE_MS) return onTooSlow();
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };

  return {
    sentTo: () => sentTo,
    startAt: (position) => {
      sentTo = position;
    },
    write,
    tell: (text) => transport.write(transport.encoding.encode(text, null)),
    send: async (frame) => {
      pending = pending.with(frame);
      cork.pull();
      if (pending.size < REPLAY_BATCH) return;
      flush();
      // The others have their turn, too.
      await nextTurn();
      await room();
    },
    flush,
    tellProgress: (scanned) => {
      const timer = setInterval(() => {
        if (signal.aborted || performance.now() - wroteAt < PROGRESS_MS || transport.buffered() > 0) return;
        flush();
        const position = scanned() ?? sentTo;
        transport.write(transport.encoding.encode(progressText(position), position));
        sentTo = position;
        wroteAt = performance.now();
      }, PROGRESS_MS / 2);
      return () => clearInterval(timer);
    },
    close: () => cork.stop(),
  };
};
