import type { Context } from 'koa';
import { readBody, ServiceRefusal } from '../service/loopback.ts';
import type { Deployments } from './deployments.ts';
import type { RequestMetrics } from './request-metrics.ts';
import { readyPort } from './worker.ts';

const MAX_BODY_BYTES = 64 * 1024 * 1024;
const TIMEOUT_MS = 60_000;
/** Bound on the requests in memory, over all deployments. */
const MAX_IN_FLIGHT = 256;

/** `/serve/<namespace>/...`: only the paths that the deployment's engine serves lead to a replica. */
export const INGRESS_PATH = /^\/serve\/(?<namespace>[a-z0-9-]+)(?<path>\/.*)$/;

interface Forwarded {
  method: string;
  /** With its query. */
  path: string;
  contentType: string | undefined;
  body: Buffer | undefined;
}

const isTimeout = (error: unknown): boolean => error instanceof Error && error.name === 'TimeoutError';

const send = async (port: number, { method, path, contentType, body }: Forwarded, signal: AbortSignal) => {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    signal,
    ...(contentType === undefined ? {} : { headers: { 'content-type': contentType } }),
    ...(body === undefined ? {} : { body: new Uint8Array(body) }),
  });
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    body: Buffer.from(await response.arrayBuffer()),
  };
};

/**
 * Distributes a deployment's requests over its ready replicas, round robin. Inference changes nothing, so a request
 * that was cut off is sent to another replica.
 */
export const createIngress = ({ deployments, metrics }: { deployments: Deployments; metrics: RequestMetrics }) => {
  const turns = new Map<string, number>();
  let inFlight = 0;

  const portsInTurn = (namespace: string): number[] => {
    const ports = deployments
      .workers(namespace)
      .map(readyPort)
      .filter((port) => port !== null);
    const turn = (turns.get(namespace) ?? 0) % Math.max(1, ports.length);
    turns.set(namespace, turn + 1);
    return [...ports.slice(turn), ...ports.slice(0, turn)];
  };

  const forward = async (namespace: string, request: Forwarded) => {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    for (const port of portsInTurn(namespace)) {
      try {
        return await send(port, request, signal);
      } catch (error) {
        if (isTimeout(error)) throw new ServiceRefusal(504, `no answer within ${TIMEOUT_MS / 1000} s`);
      }
    }
    throw new ServiceRefusal(503, `no replica of ${namespace} is ready`);
  };

  const answer = async (ctx: Context, namespace: string, path: string) => {
    const hasBody = ctx.method !== 'GET' && ctx.method !== 'HEAD';
    const body = hasBody ? await readBody(ctx, MAX_BODY_BYTES) : undefined;
    const contentType = ctx.get('content-type') || undefined;
    const reply = await forward(namespace, { method: ctx.method, path: `${path}${ctx.search}`, contentType, body });
    ctx.status = reply.status;
    if (reply.type !== null) ctx.type = reply.type;
    ctx.body = reply.body;
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
    const startedAt = performance.now();
    let failed = true;
    inFlight += 1;
    try {
      if (inFlight > MAX_IN_FLIGHT) throw new ServiceRefusal(503, `busy with ${MAX_IN_FLIGHT} requests; try again`);
      await answer(ctx, namespace, path);
      failed = ctx.status >= 500;
    } catch (error) {
      failed = !(error instanceof ServiceRefusal) || error.status >= 500;
      throw error;
    } finally {
      inFlight -= 1;
      metrics.record(namespace, { latency_ms: performance.now() - startedAt, failed });
    }
  };
};
