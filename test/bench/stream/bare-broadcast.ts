import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

/*
 * The baseline of the fan-out, in a process of its own: every text from the parent goes to every follower, and what comes
 * within 20 ms is sent together. No access, no filters, no log. Tells its parent where it listens.
 */

const CORK_MS = 20;

const server = createServer();
const sockets = new WebSocketServer({ server });
const followers = new Map<WebSocket, Socket>();
let pending: Buffer[] = [];

sockets.on('connection', (webSocket, { socket }) => {
  followers.set(webSocket, socket);
  webSocket.on('close', () => followers.delete(webSocket));
});

const flush = (): void => {
  for (const [webSocket, socket] of followers) {
    socket.cork();
    for (const bytes of pending) webSocket.send(bytes, { binary: false });
    socket.uncork();
  }
  pending = [];
};

process.on('message', (text: string) => {
  if (pending.length === 0) setTimeout(flush, CORK_MS);
  pending.push(Buffer.from(text));
});

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the baseline listens on no port');
  process.send?.({ ready: { url: `http://127.0.0.1:${address.port}` } });
});

process.once('disconnect', () => process.exit(0));
