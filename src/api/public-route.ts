import type { Context } from 'koa';
import { z } from 'zod';
import type { RequestFacts } from './request-facts.ts';
import type { Answer, Route } from './route.ts';

/** A request without an authenticated caller. */
export interface PublicExchange<Body = unknown, Query = unknown> {
  body: Body;
  query: Query;
  facts: RequestFacts;
  ctx: Context;
}

interface PublicRouteInput<Query extends z.ZodObject, Body extends z.ZodType>
  extends Omit<Route, 'params' | 'query' | 'body' | 'refusals' | 'writes' | 'handle' | 'permission'> {
  /** With `service` or `bearer`, the handler checks a secret or the token itself. */
  permission?: 'public' | 'service' | 'bearer';
  query?: Query;
  body?: Body;
  /** Encoding of the body; default: JSON. */
  body_kind?: 'json' | 'form' | 'message';
  example?: unknown;
  refusals?: Route['refusals'];
  handle(exchange: PublicExchange<z.output<Body>, z.output<Query>>): Promise<Answer>;
}

/** Makes a route without an identified caller. */
export const publicRoute = <
  Query extends z.ZodObject = z.ZodObject<Record<never, never>>,
  Body extends z.ZodType = z.ZodUndefined,
>({
  permission = 'public',
  query,
  body,
  body_kind = 'json',
  example,
  refusals = [],
  handle,
  ...rest
}: PublicRouteInput<Query, Body>): Route => ({
  ...rest,
  permission,
  params: z.strictObject({}),
  query: query ?? z.strictObject({}),
  body: body === undefined ? null : { kind: body_kind, schema: body, example },
  refusals,
  writes: false,
  // The dispatcher has parsed each part with the route's schemas before it calls the handler.
  handle: (exchange) => handle(exchange as PublicExchange<z.output<Body>, z.output<Query>>),
});
