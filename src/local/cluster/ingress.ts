import { Readable } from 'node:stream';
import type { Context } from 'koa';
import { codeOf } from '../../failures/failure-code.ts';
import type { Engine } from '../engine/engine.ts';
import { readBody, ServiceRefusal } from '../service/loopback.ts';
import type { Deployments } from './deployments.ts';
import { isOwnRequest, type OwnRequests } from './own-requests.ts';
import type { Outcome, RequestMetrics } from './request-metrics.ts';
import type { Serving, Worker } from './worker.ts';

const MAX_BODY_BYTES = 64 * 1024 * 1024;
const TIMEOUT_MS = 60_000;
/** Bounds on the requests in memory over all deployments, and on their bodies together. */
const MAX_IN_FLIGHT = 256;
const MAX_BYTES_IN_FLIGHT = 1024 * 1024 * 1024;
/** A request that ends two replicas is at fault itself, and must not end all of them. */
const MOST_REACHED = 2;

/** `/serve/<namespace>/...`: only the paths that the deployment's engine serves lead to a replica. */
export const INGRESS_PATH = /^\/serve\/(?<namespace>[a-z0-9-]+)(?<path>\/.*)$/;

interface Forwarded {
  method: string;
  /** With its query. */
  path: string;
  headers: Record<string, string>;
  body: Buffer | undefined;
}

interface Reply {
  status: number;
  headers: Headers;
  body: Readable | null;
}

const send = async (port: number, { method, path, headers, body }: Forwarded, signal: AbortSignal): Promise<Reply> => {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    signal,
    headers,
    ...(body === undefined ? {} : { body: new Uint8Array(body) }),
  });
  // Not kept in memory: it may be large, and the caller slow.
  const stream = response.body === null ? null : Readable.fromWeb(response.body);
  return { status: response.status, headers: response.headers, body: stream };
};

/** No replica has seen the request. */
const isUnreached = (error: unknown): boolean => error instanceof Error && codeOf(error.cause) === 'ECONNREFUSED';

/** What is passed on of the headers of a request. */
const headersOf = (ctx: Context, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.flatMap((name) => (ctx.get(name) === '' ? [] : [[name, ctx.get(name)]])));

const outcomeOf = (status: number): Outcome => {
  if (status < 400) return 'success';
  return status < 500 ? 'client_error' : 'server_error';
};

/** What a body may take in memory; without its length it may be as large as any. */
const bytesOf = (ctx: Context): number => {
  if (ctx.method === 'GET' || ctx.method === 'HEAD') return 0;
  return Math.min(ctx.request.length ?? MAX_BODY_BYTES, MAX_BODY_BYTES);
};

/** Those that nothing is known against come first. */
const inOrder = (workers: readonly Worker[]): { worker: Worker; serving: Serving }[] =>
  workers
    .flatMap((worker) => {
      const serving = worker.serving();
      return serving === null ? [] : [{ worker, serving }];
    })
    .sort((one, other) => Number(one.serving.suspected) - Number(other.serving.suspected));

/**
 * Distributes a deployment's requests over its ready replicas, round robin. A replica that does not answer leaves the
 * rotation at once, and its probe brings it back. Inference changes nothing, so a request that was cut off is sent to
 * another replica.
 */
export const createIngress = (options: {
  deployments: Deployments;
  metrics: RequestMetrics;
  own_requests: OwnRequests;
}) => {
  const { deployments, metrics, own_requests } = options;
  const turns = new Map<string, number>();
  let inFlight = 0;
  let bytesInFlight = 0;

  const workersInTurn = (namespace: string) => {
    const workers = deployments.workers(namespace);
    const turn = (turns.get(namespace) ?? 0) % Math.max(1, workers.length);
    turns.set(namespace, turn + 1);
    return inOrder([...workers.slice(turn), ...workers.slice(0, turn)]);
  };

  const whyNone = (namespace: string): string =>
    deployments.find(namespace)?.serving && deployments.workers(namespace).length === 0
      ? `${namespace} is stopped: it has no replicas; scale the endpoint up to start it again`
      : `no replica of ${namespace} is ready`;

  const forward = async (namespace: string, request: Forwarded, gone: AbortSignal): Promise<Reply> => {
    const late = AbortSignal.timeout(TIMEOUT_MS);
    let reached = 0;
    for (const { worker, serving } of workersInTurn(namespace)) {
      try {
        return await send(serving.port, request, AbortSignal.any([late, gone, serving.lost]));
      } catch (error) {
        if (gone.aborted) throw new ServiceRefusal(499, 'the caller is gone');
        worker.suspect(serving.port);
        if (late.aborted) throw new ServiceRefusal(504, `no answer within ${TIMEOUT_MS / 1000} s`);
        reached += isUnreached(error) ? 0 : 1;
        if (reached === MOST_REACHED) break;
      }
    }
    if (reached > 0) throw new ServiceRefusal(502, 'the replica ended or stopped answering before it had answered');
    throw new ServiceRefusal(503, whyNone(namespace));
  };

  const answer = async (
    ctx: Context,
    { namespace, path, engine }: { namespace: string; path: string; engine: Engine },
  ) => {
    if (ctx.get('content-encoding') !== '') throw new ServiceRefusal(415, 'send the body without content-encoding');
    const passed = ['content-type', ...engine.headers];
    const gone = new AbortController();
    ctx.res.once('close', () => gone.abort());
    const hasBody = ctx.method !== 'GET' && ctx.method !== 'HEAD';
    const body = hasBody ? await readBody(ctx, MAX_BODY_BYTES) : undefined;
    const request = { method: ctx.method, path: `${path}${ctx.search}`, headers: headersOf(ctx, passed), body };
    const reply = await forward(namespace, request, gone.signal);
    ctx.status = reply.status;
    ctx.body = reply.body;
    for (const name of [...passed, 'content-length']) {
      const value = reply.headers.get(name);
      if (value !== null) ctx.set(name, value);
    }
  };

  const serve = async (ctx: Context, to: { namespace: string; path: string; engine: Engine }): Promise<void> => {
    const bytes = bytesOf(ctx);
    inFlight += 1;
    bytesInFlight += bytes;
    try {
      if (inFlight > MAX_IN_FLIGHT) throw new ServiceRefusal(503, `busy with ${MAX_IN_FLIGHT} requests; try again`);
      if (bytesInFlight > MAX_BYTES_IN_FLIGHT) throw new ServiceRefusal(503, 'busy with large requests; try again');
      await answer(ctx, to);
    } finally {
      inFlight -= 1;
      bytesInFlight -= bytes;
    }
  };

  return async (ctx: Context): Promise<void> => {
    const { namespace = '', path: asked = '' } = INGRESS_PATH.exec(ctx.path)?.groups ?? {};
    const engine = deployments.findEngine(namespace);
    if (engine === undefined) {
      turns.delete(namespace);
      throw new ServiceRefusal(404, `nothing is deployed as ${namespace}`);
    }
    // The normalised path, without `..`, which could lead out of what the engine serves.
    const path = new URL(asked, 'http://localhost').pathname;
    if (!engine.serves(path)) throw new ServiceRefusal(404, `no route ${ctx.method} ${ctx.path}`);
    const isCounted = engine.infers(ctx.method, path) && !isOwnRequest(ctx, own_requests);
    const startedAt = performance.now();
    let outcome: Outcome = 'server_error';
    try {
      await serve(ctx, { namespace, path, engine });
      outcome = outcomeOf(ctx.status);
    } catch (error) {
      if (error instanceof ServiceRefusal) outcome = outcomeOf(error.status);
      throw error;
    } finally {
      if (isCounted) metrics.record(namespace, { latency_ms: performance.now() - startedAt, outcome });
    }
  };
};
