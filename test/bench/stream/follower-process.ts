import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createFrameReader } from './frame-reader.ts';

/*
 * The followers of the fan-out bench, in a process of their own: bare sockets that only count WebSocket frames, since two
 * cores serve the followers and the server alike.
 */

export type Order =
  | { open: { url: string; headers: Record<string, string>; count: number } }
  | { forget: true }
  | { tell: true };

/** What arrived since `forget`. */
export interface Told {
  /** Per follower. */
  counts: number[];
  /** Per frame, when the last follower got it: milliseconds since 1970. */
  last_arrivals: number[];
  /** The texts that the first follower got. */
  texts: string[];
}

const OPENED_AT_ONCE = 50;

let counts: number[] = [];
let lastArrivals: number[] = [];
let texts: string[] = [];

const handshake = (url: URL, headers: Record<string, string>): string =>
  [
    `GET ${url.pathname}${url.search} HTTP/1.1`,
    `Host: ${url.host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    '',
    '',
  ].join('\r\n');

/** Resolves once the server has taken the upgrade. */
const opened = async (socket: Socket): Promise<Buffer> => {
  let head = Buffer.alloc(0);
  while (!head.includes('\r\n\r\n')) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    head = Buffer.concat([head, chunk]);
  }
  if (!head.toString('latin1').startsWith('HTTP/1.1 101')) throw new Error(`refused: ${head}`);
  return head.subarray(head.indexOf('\r\n\r\n') + 4);
};

const follow = async (index: number, url: URL, headers: Record<string, string>): Promise<void> => {
  const socket = connect(Number(url.port), url.hostname);
  await once(socket, 'connect');
  socket.write(handshake(url, headers));
  const rest = await opened(socket);
  const read = createFrameReader((text) => {
    const frame = counts[index] ?? 0;
    counts[index] = frame + 1;
    lastArrivals[frame] = performance.timeOrigin + performance.now();
    if (index === 0) texts.push(text());
  });
  read(rest);
  socket.on('data', read);
};

const open = async ({ url, headers, count }: Extract<Order, { open: unknown }>['open']): Promise<void> => {
  counts = Array.from({ length: count }, () => 0);
  for (let from = 0; from < count; from += OPENED_AT_ONCE) {
    const indices = Array.from({ length: Math.min(OPENED_AT_ONCE, count - from) }, (_, n) => from + n);
    await Promise.all(indices.map((index) => follow(index, new URL(url), headers)));
  }
};

process.on('message', async (order: Order) => {
  if ('open' in order) await open(order.open);
  if ('forget' in order) {
    counts = counts.map(() => 0);
    lastArrivals = [];
    texts = [];
  }
  process.send?.({ counts, last_arrivals: lastArrivals, texts } satisfies Told);
});

process.once('disconnect', () => process.exit(0));
