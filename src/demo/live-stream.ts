import { EventEmitter, on } from 'node:events';
import { WebSocket } from 'ws';
import type { Client } from './client.ts';

/** A frame of the live stream: a CloudEvent with its position in the log. */
export interface Frame {
  type: string;
  subject: string;
  time: string;
  position: string;
  data: Record<string, unknown>;
}

const FINAL_TIMEOUT_MS = 60_000;

/** The live stream over WebSocket. Frames are kept, so that `until` also sees those that arrived before its call. */
export const openLiveStream = async (client: Client, from: string) => {
  const url = new URL('/stream', client.url);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.searchParams.set('from', from);
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${client.token}` } });
  const frames: Frame[] = [];
  const arrived = new EventEmitter();
  let failure: Error | null = null;

  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as Partial<Frame>;
    // Heartbeats and notices of the stream itself have no position.
    if (!message.position || !message.type || !message.data) return;
    frames.push(message as Frame);
    arrived.emit('frame', message);
  });
  socket.on('close', (code, reason) => {
    failure = new Error(`the live stream ended: ${code} ${String(reason)}`);
    arrived.emit('frame');
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });

  return {
    /**
     * Passes every frame of these resources to `show`, from the first one kept, until `isLast` is true. Throws after a
     * time-out, or when the stream ends.
     */
    async until(
      resources: readonly string[],
      isLast: (frame: Frame) => boolean,
      show: (frame: Frame) => void,
    ): Promise<Frame> {
      const signal = AbortSignal.timeout(FINAL_TIMEOUT_MS);
      const arrivals = on(arrived, 'frame', { signal });
      let next = 0;
      for (;;) {
        for (; next < frames.length; next += 1) {
          const frame = frames[next];
          if (!frame || !resources.some((id) => frame.subject.endsWith(id))) continue;
          show(frame);
          if (isLast(frame)) {
            await arrivals.return?.();
            return frame;
          }
        }
        if (failure) throw failure;
        try {
          await arrivals.next();
        } catch (cause) {
          throw new Error(`no frame on the live stream for ${FINAL_TIMEOUT_MS / 1000} s`, { cause });
        }
      }
    },
    /** Drops the kept frames: a later `until` starts with the next frame. */
    forget(): void {
      frames.length = 0;
    },
    close(): void {
      socket.removeAllListeners('close');
      socket.close();
    },
  };
};

export type LiveStream = Awaited<ReturnType<typeof openLiveStream>>;
