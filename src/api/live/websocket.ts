import { once } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import { z } from 'zod';
import { Rejected } from '../../errors.ts';
import { newUuid } from '../../events/ids.ts';
import type { Closable } from '../../ports/closable.ts';
import { createThrottle } from '../../resilience/throttle.ts';
import { bearerTokenOf } from '../callers/caller.ts';
import { HttpRefusal, PROBLEM_TYPE, problemOf } from '../http/problem.ts';
import { parseQuery } from '../http/query.ts';
import type { Encoding } from './batch.ts';
import { type ClientOptions, type LiveOptions, serveClient } from './client.ts';
import { whereOpened } from './opened-at.ts';
import type { Ending, Transport } from './output.ts';
import { SubscriptionQuery } from './subscription.ts';
import { webSocketMessage } from './websocket-message.ts';

const PATH = '/stream';
/** How long a client has to send its token as the first message. */
const TOKEN_TIMEOUT_MS = 10_000;
const MAX_MESSAGE_BYTES = 32 * 1024;

/** WebSocket close codes: 1013 is "try again later"; 44xx are BudApp's own, after the HTTP status 4xx. */
const CLOSE_CODES: Readonly<Record<Ending, number>> = {
  'too-slow': 1013,
  'token-expired': 4401,
  'access-lost': 4403,
  unavailable: 1013,
  'server-error': 1011,
  'going-away': 1001,
};

/** The parts of a subscription that are known at the upgrade, before the token. */
interface UpgradeFacts extends Pick<ClientOptions, 'query' | 'opened'> {
  connection: Duplex;
}
type Subscriber = UpgradeFacts & Pick<ClientOptions, 'token' | 'caller'>;

const TokenMessage = z.object({ access_token: z.string() });

const webSocketMessages: Encoding = { encode: webSocketMessage };

/** `connection` is what the socket runs on. Whole messages are written to it, between those that the library writes. */
const transportOf = (socket: WebSocket, connection: Duplex): Transport => ({
  encoding: webSocketMessages,
  write: (bytes) => {
    if (socket.readyState === WebSocket.OPEN) connection.write(bytes);
  },
  beat: () => socket.ping(),
  buffered: () => socket.bufferedAmount,
  end: (ending, { grace_ms }) => {
    socket.close(CLOSE_CODES[ending], ending);
    // A slow client may never read the close frame, which waits behind the unsent data.
    if (ending === 'too-slow') setTimeout(() => socket.terminate(), grace_ms).unref();
  },
});

/** The token from the header or the query; null where it comes as the first message. */
const tokenOf = (request: IncomingMessage, { access_token }: SubscriptionQuery): string | null => {
  const { authorization } = request.headers;
  return authorization === undefined ? (access_token ?? null) : bearerTokenOf(authorization);
};

const tokenFromMessage = async (socket: WebSocket): Promise<string> => {
  const [data] = await once(socket, 'message', { signal: AbortSignal.timeout(TOKEN_TIMEOUT_MS) });
  return TokenMessage.parse(JSON.parse(String(data))).access_token;
};

/** Answers a refused upgrade in plain HTTP. */
const refuse = (socket: Duplex, error: unknown): void => {
  const { status, headers, body } = problemOf(error, newUuid());
  const text = JSON.stringify(body);
  const lines = [
    `HTTP/1.1 ${status} Refused`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(text)}`,
    'Connection: close',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n${text}`);
};

/** `GET /stream`: status messages over WebSocket. Takes over the server's upgrades. */
export const attachWebSocket = (server: Server, options: LiveOptions): Closable => {
  const { callers, logger } = options;
  const throttled = createThrottle();
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES });

  const serve = (socket: WebSocket, { connection, ...parts }: Subscriber) => {
    const stop = serveClient({ ...options, ...parts, transport: transportOf(socket, connection) });
    socket.once('close', stop);
    if (socket.readyState !== WebSocket.OPEN) stop();
  };

  const serveAfterToken = async (socket: WebSocket, upgraded: UpgradeFacts): Promise<void> => {
    try {
      const token = await tokenFromMessage(socket);
      serve(socket, { ...upgraded, token, caller: await callers.fromToken(token) });
    } catch (error) {
      const known = error instanceof Rejected;
      if (!known) logger.debug({ err: error }, 'a live stream client sent no token');
      socket.close(CLOSE_CODES['token-expired'], known ? error.code : 'missing-token');
    }
  };

  const upgrade = async (request: IncomingMessage, socket: Duplex, firstBytes: Buffer): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://stream');
    if (url.pathname !== PATH) throw new HttpRefusal('unknown-path', `There is no WebSocket at ${url.pathname}.`);
    const query = parseQuery(SubscriptionQuery, url.search);
    const token = tokenOf(request, query);
    const caller = token === null ? null : await callers.fromToken(token);
    const upgraded = { query, opened: await whereOpened(options), connection: socket };
    sockets.handleUpgrade(request, socket, firstBytes, (webSocket) => {
      webSocket.on('error', () => webSocket.terminate());
      if (token !== null && caller !== null) serve(webSocket, { ...upgraded, token, caller });
      else void serveAfterToken(webSocket, upgraded);
    });
  };

  const onUpgrade = (request: IncomingMessage, socket: Duplex, firstBytes: Buffer): void => {
    socket.on('error', () => socket.destroy());
    upgrade(request, socket, firstBytes).catch((error) => {
      const { unexpected, status } = problemOf(error, '');
      if (status === 503)
        throttled(() => logger.warn({ err: error }, 'live streams cannot be opened: clients get 503'));
      else if (unexpected) logger.error({ err: error }, 'a live stream could not be opened');
      refuse(socket, error);
    });
  };
  server.on('upgrade', onUpgrade);

  return {
    async close() {
      server.off('upgrade', onUpgrade);
      for (const socket of sockets.clients) socket.close(CLOSE_CODES['going-away'], 'going-away');
      const forced = setTimeout(() => {
        for (const socket of sockets.clients) socket.terminate();
      }, 1000);
      await new Promise<void>((resolve) => sockets.close(() => resolve()));
      await Promise.all([...sockets.clients].map((socket) => once(socket, 'close')));
      clearTimeout(forced);
    },
  };
};
