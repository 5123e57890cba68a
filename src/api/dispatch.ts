import type { Context } from 'koa';
import { z } from 'zod';
import { parseInput } from '../commands/engine/input.ts';
import { Rejected } from '../errors.ts';
import type { ApiCaller, Callers } from './callers/caller.ts';
import { readFormBody } from './http/form-body.ts';
import { readJsonBody, readServiceMessage } from './http/json-body.ts';
import { isMultipart } from './http/multipart.ts';
import { passes } from './http/problem.ts';
import { parseParams, parseQuery } from './http/query.ts';
import type { OwnWrites } from './own-writes.ts';
import { requestFactsOf } from './request-facts.ts';
import { type Answer, type Exchange, type Route, SUCCESS_STATUS } from './route.ts';

const REQUEST_ID = z.string();
const EVENT_STREAM = 'text/event-stream';

/** Who asks, and how far the caller has written. */
export interface Identifying {
  callers: Pick<Callers, 'fromAuthorization'>;
  ownWrites: Pick<OwnWrites, 'refresh' | 'upTo'>;
}

const callerOf = async (
  { permission }: Route,
  { callers, ownWrites }: Identifying,
  ctx: Context,
): Promise<ApiCaller | null> => {
  if (permission === 'public' || permission === 'service' || permission === 'bearer') return null;
  // First, since what the caller has written may have changed what the caller has access to.
  await ownWrites.refresh();
  const caller = await callers.fromAuthorization(ctx.get('authorization'));
  if (permission !== 'admin' || caller.access.role === 'admin') return caller;
  throw new Rejected('forbidden', 'not-permitted', 'This operation requires the role admin.');
};

const readBody = async ({ body, writes }: Route, ctx: Context): Promise<unknown> => {
  if (body === null) return undefined;
  if (body.kind === 'multipart') {
    // The handler reads the stream itself, once it knows where to store it.
    return isMultipart(ctx.req) || body.json === undefined ? undefined : readJsonBody(ctx.req, body.max_bytes);
  }
  if (body.kind === 'form') return parseInput(body.schema, await readFormBody(ctx.req));
  if (body.kind === 'message') return readServiceMessage(ctx.req);
  const content = await readJsonBody(ctx.req, body.max_bytes);
  // The command handler validates the data, together with the path's parameters.
  return writes ? content : parseInput(body.schema, content);
};

const send = (ctx: Context, { success, body, type, headers = {} }: Answer): void => {
  ctx.set({ 'Cache-Control': 'no-store', ...headers });
  ctx.status = SUCCESS_STATUS[success];
  if (body === undefined) {
    ctx.body = null;
    // Koa sets 204 for an absent body, so the status is set again.
    ctx.status = SUCCESS_STATUS[success];
    return;
  }
  ctx.type = type ?? 'application/json';
  ctx.body = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
};

/** The answer of a stream to who asks as a browser's EventSource does; null where the error is none that passes. */
const insteadOf = (error: unknown, { when_unavailable }: Route, ctx: Context): Answer | null =>
  when_unavailable && ctx.respond !== false && ctx.get('accept').includes(EVENT_STREAM) && passes(error)
    ? when_unavailable
    : null;

/**
 * Parses a request with the route's schemas, calls its handler and sends the answer. Authentication comes first, so
 * that an unauthenticated caller learns nothing about the validity of the request.
 */
export const dispatch = (route: Route, known: Identifying) => {
  const handle = async (ctx: Context): Promise<void> => {
    const requestId = REQUEST_ID.parse(ctx.state.request_id);
    const caller = await callerOf(route, known, ctx);
    const facts = requestFactsOf(ctx, requestId);
    const params = parseParams(route.params, ctx.params ?? {});
    const query = parseQuery(route.query, ctx.querystring);
    const body = await readBody(route, ctx);
    // `caller` is null only for routes from `publicRoute`, whose handlers have no access to it.
    const written = caller && known.ownWrites.upTo(caller.user_id);
    const exchange = { caller, params, query, body, facts, written, ctx } as Exchange;
    const answer = await route.handle(exchange);
    // The handler streams the response itself.
    if (ctx.respond === false) return;
    send(ctx, answer);
  };
  return async (ctx: Context): Promise<void> => {
    try {
      await handle(ctx);
    } catch (error) {
      const instead = insteadOf(error, route, ctx);
      if (instead === null) throw error;
      send(ctx, instead);
    }
  };
};
