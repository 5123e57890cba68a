import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { requestIdOf } from '../api/request-facts.ts';
import { newUuid } from '../events/ids.ts';
import { codeOf } from '../failures/failure-code.ts';
import type { Closable } from '../ports/closable.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const GRACE_MS = 5_000;

const TIMEOUTS = {
  // Node's default of five minutes a request would cut off a large upload on a slow line.
  requestTimeout: 60 * 60_000,
  headersTimeout: 60_000,
  // Longer than the 60 seconds of most proxies. The proxy must be the one that closes an idle connection: if the server
  // did, a request just sent on it would be lost, and the proxy would answer 502.
  keepAliveTimeout: 75_000,
};

/** The address cannot be listened on; the message says what to set. */
export class AddressInUse extends Error {
  constructor(host: string, port: number, cause: unknown) {
    super(`Port ${port} on ${host} is in use by another program. Set PORT to a free one, or to 0 for any.`, { cause });
    this.name = 'AddressInUse';
  }
}

const notReadyYet: Handler = (request, response) => {
  const request_id = requestIdOf(String(request.headers['x-request-id'] ?? ''));
  const problem = {
    type: 'urn:budapp:problem:starting',
    title: 'Service Unavailable',
    status: 503,
    code: 'starting',
    detail: 'BudApp is starting. Try again in a moment.',
    request_id,
  };
  response.writeHead(503, {
    'content-type': 'application/problem+json',
    'retry-after': '1',
    'x-request-id': request_id,
  });
  response.end(JSON.stringify(problem));
};

const CLIENT_ERRORS: Readonly<Record<string, { status: number; title: string; code: string; detail: string }>> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    title: 'Request Header Fields Too Large',
    code: 'headers-too-large',
    detail: 'The headers of a request may have 16 KiB together.',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    title: 'Request Timeout',
    code: 'request-timeout',
    detail: 'The request did not arrive in time.',
  },
};
const NOT_HTTP = {
  status: 400,
  title: 'Bad Request',
  code: 'malformed-request',
  detail: 'This is not an HTTP request.',
};

/** Refuses an invalid HTTP request, in the same form as the API refuses requests. */
const refuseClient = (error: Error, socket: Duplex): void => {
  if (codeOf(error) === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const known = Object.entries(CLIENT_ERRORS).find(([code]) => codeOf(error) === code)?.[1] ?? NOT_HTTP;
  const request_id = newUuid();
  const body = JSON.stringify({ type: `urn:budapp:problem:${known.code}`, ...known, request_id });
  const head = [
    `HTTP/1.1 ${known.status} ${known.title}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${request_id}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
};

/**
 * Listens before anything else is opened, so that a port in use is noticed at once and services can be told the address
 * for their messages. Until `serve` is called, every request is answered with 503. Throws `AddressInUse`.
 */
export const openHttpServer = async ({ host, port }: { host: string; port: number }) => {
  let handler = notReadyYet;
  const server = createServer(TIMEOUTS, (request, response) => handler(request, response));
  server.on('clientError', refuseClient);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(codeOf(error) === 'EADDRINUSE' ? new AddressInUse(host, port, error) : error),
    );
    server.listen(port, host, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port');

  const closable: Closable = {
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      // Requests under way may finish. A connection that is only held open must not delay the shutdown.
      const force = setTimeout(() => server.closeAllConnections(), GRACE_MS);
      await closed;
      clearTimeout(force);
    },
  };
  return {
    ...closable,
    server,
    port: address.port,
    serve: (ready: Handler) => {
      handler = ready;
    },
  };
};
