import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';

const RECONNECT_MS = 200;

interface Message {
  type?: string;
  position?: string;
  cursor?: string;
}

/**
 * Follows the live stream over WebSocket as a careful client does: whenever the connection ends it opens another one, to
 * the next address, from the last cursor that it has.
 */
export const followStream = (urls: readonly string[], { token, from }: { token: () => string; from: string }) => {
  const positions: string[] = [];
  const resets: string[] = [];
  let cursor = from;
  let connections = 0;
  let stopped = false;
  let socket: WebSocket | null = null;

  const take = (data: WebSocket.RawData): void => {
    const message = JSON.parse(String(data)) as Message;
    if (message.type === 'bud.stream.reset') resets.push(String(data));
    if (!message.position || message.type?.startsWith('bud.stream.')) return;
    positions.push(message.position);
    cursor = message.cursor ?? message.position;
  };

  const follow = async (): Promise<void> => {
    while (!stopped) {
      const url = new URL('/stream', urls[connections++ % urls.length]);
      url.protocol = 'ws:';
      url.searchParams.set('from', cursor);
      socket = new WebSocket(url, { headers: { authorization: `Bearer ${token()}` }, handshakeTimeout: 5000 });
      socket.on('message', take);
      socket.on('error', () => undefined);
      // Not `once` of node:events, which rejects at an error: a refused connection is one, and is tried again.
      await new Promise((resolve) => socket?.once('close', resolve));
      await sleep(RECONNECT_MS);
    }
  };
  const following = follow();

  return {
    positions,
    resets,
    /** Whether it has all up to that position. */
    reached: (position: string) => (positions.at(-1) ?? '') >= position,
    async stop(): Promise<void> {
      stopped = true;
      socket?.close();
      await following;
    },
  };
};
