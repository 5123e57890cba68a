import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Router from '@koa/router';
import Koa from 'koa';
import type { Logger } from 'pino';
import { z } from 'zod';
import { codeOf } from '../../failures/failure-code.ts';
import type { Closable } from '../../ports/closable.ts';
import { BodyTooLarge, readBounded } from '../../resilience/bounded-body.ts';

const LARGEST_BODY = 1_000_000;
const LOOPBACK = '127.0.0.1';

/** A service of the embedded default. By default it is reachable on this machine only. */
export interface LocalService extends Closable {
  /** `http://127.0.0.1:<port>` */
  url: string;
}

/** The address of a service in its own process: exactly this one, or the start fails. */
export interface Listen {
  host: string;
  port: number;
  /** The URL at which others reach it; default: `http://<host>:<port>`. */
  public_url?: string | undefined;
}

/** An error that is answered as `{ error }` with this status: the service does not support the request. */
export class ServiceRefusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'ServiceRefusal';
    this.status = status;
  }
}

/** The body. Throws `ServiceRefusal` 413 over `max_bytes`. */
export const readBody = async (ctx: Koa.Context, max_bytes: number): Promise<Buffer> => {
  try {
    return await readBounded(ctx.req, max_bytes);
  } catch (error) {
    if (!(error instanceof BodyTooLarge)) throw error;
    // Closes the connection: the rest of the body is not read, and the next request would wait behind it.
    ctx.set('Connection', 'close');
    throw new ServiceRefusal(413, `a body is at most ${max_bytes} bytes`);
  }
};

/** The JSON body, parsed. Throws `ServiceRefusal`: 415, 413, 400, or 422 where it breaks the contract. */
export const readJson = async <Schema extends z.ZodType>(
  ctx: Koa.Context,
  schema: Schema,
): Promise<z.output<Schema>> => {
  // Only JSON is accepted: a web page cannot send it here without a CORS preflight, which is refused.
  if (!ctx.is('json')) throw new ServiceRefusal(415, 'send application/json');
  return parse(schema, parseJson((await readBody(ctx, LARGEST_BODY)).toString()));
};

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    throw new ServiceRefusal(400, 'the body is not JSON');
  }
};

/** Parses by a contract schema; throws `ServiceRefusal` 422 that says what is wrong. */
export const parse = <Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> => {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new ServiceRefusal(422, z.prettifyError(parsed.error));
  return parsed.data;
};

const isPortTaken = (error: unknown): boolean => codeOf(error) === 'EADDRINUSE';

const listenAt = (server: Server, { host, port }: Listen): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });

/** On this machine, at `port` where that is free, else at any free one. */
const listenNear = async (server: Server, port: number): Promise<void> => {
  try {
    await listenAt(server, { host: LOOPBACK, port });
  } catch (error) {
    if (port === 0 || !isPortTaken(error)) throw error;
    await listenAt(server, { host: LOOPBACK, port: 0 });
  }
};

/**
 * Starts an HTTP server with the routes that `mount` adds, and `/health`; ends its connections on close. On the loopback
 * interface it takes `port` where that is free, so that addresses handed out in an earlier life still hold, else any
 * free one. With `listen` it is there or throws.
 */
export const serveLoopback = async (options: {
  mount: (router: Router) => void;
  log: Logger;
  port?: number | undefined;
  listen?: Listen | undefined;
}): Promise<LocalService> => {
  const { mount, log, port = 0, listen } = options;
  const router = new Router();
  // For the process that starts it, a sidecar for example.
  router.get('/health', (ctx) => {
    ctx.body = { status: 'ok' };
  });
  mount(router);
  const app = new Koa();
  app.silent = true;
  app.use(async (ctx, next) => {
    try {
      await next();
      if (ctx.status === 404 && ctx.body === undefined)
        throw new ServiceRefusal(404, `no route ${ctx.method} ${ctx.path}`);
    } catch (error) {
      if (!(error instanceof ServiceRefusal)) log.error({ err: error, path: ctx.path }, 'a local service failed');
      ctx.status = error instanceof ServiceRefusal ? error.status : 500;
      ctx.body = { error: error instanceof ServiceRefusal ? error.message : 'internal error' };
    }
  });
  app.use(router.routes());
  const server = createServer(app.callback());
  await (listen ? listenAt(server, listen) : listenNear(server, port));
  return {
    url: listen?.public_url ?? `http://${listen?.host ?? LOOPBACK}:${portOf(server.address())}`,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
};

const portOf = (address: AddressInfo | string | null): number =>
  address === null || typeof address === 'string' ? 0 : address.port;
