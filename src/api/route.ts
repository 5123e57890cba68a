import type { Context } from 'koa';
import { z } from 'zod';
import type { Permission } from '../commands/access.ts';
import type { RejectionKind } from '../errors.ts';
import type { Position } from '../events/event.ts';
import type { Scope } from '../events/values.ts';
import type { HeadersDeclared } from './answer-headers.ts';
import type { ApiCaller } from './callers/caller.ts';
import type { RequestFacts } from './request-facts.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** The outcomes of a successful request, by name; `SUCCESS_STATUS` has the numbers. */
export type Success =
  | 'switching'
  | 'ok'
  | 'created'
  | 'accepted'
  | 'no-content'
  | 'found'
  | 'not-modified'
  | 'upgrade-required'
  | 'not-ready';
export const SUCCESS_STATUS: Readonly<Record<Success, number>> = {
  switching: 101,
  ok: 200,
  created: 201,
  accepted: 202,
  'no-content': 204,
  found: 302,
  'not-modified': 304,
  'upgrade-required': 426,
  'not-ready': 503,
};

/** The answer of a route. */
export interface Answer {
  success: Success;
  body?: unknown;
  /** The media type; default: JSON. */
  type?: string;
  headers?: Readonly<Record<string, string>>;
}

/** A request with an authenticated caller and parsed parts. */
export interface Exchange<Params = unknown, Query = unknown, Body = unknown> {
  caller: ApiCaller;
  params: Params;
  query: Query;
  body: Body;
  facts: RequestFacts;
  /** The position up to which the caller has written: what the caller reads is at least as new. */
  written: Position | null;
  /** The raw request and response, for streaming. */
  ctx: Context;
}

/**
 * How the OpenAPI document describes an answer. `schema` is null where there is no body, or one that `type` describes.
 */
export interface AnswerSchema {
  description: string;
  schema: z.ZodType | null;
  type?: string;
  /** Headers besides those that every answer of the route's kind has. */
  headers?: HeadersDeclared;
}

export type BodySchema =
  | { kind: 'json'; schema: z.ZodType; example?: unknown; max_bytes?: number | undefined }
  /** JSON of another service. The handler gets a `ServiceMessageBody`, since it answers a body that cannot be read, too. */
  | { kind: 'message'; schema: z.ZodType; example?: unknown }
  /** `application/x-www-form-urlencoded`, which browsers and OpenID providers send. */
  | { kind: 'form'; schema: z.ZodType; example?: unknown }
  /** `form` documents the fields; the handler reads the stream itself. With `json`, a JSON body is accepted too. */
  | { kind: 'multipart'; form: z.ZodType; json?: z.ZodType; example?: unknown; max_bytes?: number | undefined };

/**
 * One operation. Routing, validation, authorisation and the OpenAPI document derive from this object. `permission`:
 * `public` needs no token, `bearer` one that the handler checks itself, `signed-in` any user, `admin` that role, `service` a secret of its own. A scope is checked
 * against the resource, by the command handler or by the read. Where several scopes are listed, the resource decides which one is
 * required.
 */
export interface Route {
  method: Method;
  /** In OpenAPI's form: `/projects/{project_id}`. */
  path: string;
  operation_id: string;
  summary: string;
  /** What the document says besides the summary. */
  description?: string;
  tag: string;
  permission: Permission | readonly Scope[] | 'public' | 'bearer' | 'signed-in' | 'admin' | 'service';
  params: z.ZodObject;
  query: z.ZodObject;
  body: BodySchema | null;
  answers: Partial<Record<Success, AnswerSchema>>;
  /** Refusals besides those that every route of its kind has. */
  refusals: readonly RejectionKind[];
  /** Headers of a refusal besides those of its kind. */
  refusal_headers?: HeadersDeclared;
  /** True for a route that changes something: it accepts `Idempotency-Key` and `If-Match`. */
  writes: boolean;
  /** What an EventSource is answered in the place of a 503, which it would never come back from. */
  when_unavailable?: Answer;
  /** True for a route that accepts `Idempotency-Key`, although it has no caller. */
  repeatable?: boolean;
  handle(exchange: Exchange): Promise<Answer>;
}

interface RouteInput<Params extends z.ZodObject, Query extends z.ZodObject, Body extends z.ZodType>
  extends Omit<Route, 'params' | 'query' | 'body' | 'refusals' | 'writes' | 'handle'> {
  params?: Params;
  query?: Query;
  /** JSON body. */
  body?: Body;
  example?: unknown;
  refusals?: readonly RejectionKind[];
  handle(exchange: Exchange<z.output<Params>, z.output<Query>, z.output<Body>>): Promise<Answer>;
}

type NoFields = z.ZodObject<Record<never, never>>;

/** Makes a route. By default it has no parameters, no query and no body. */
export const route = <
  Params extends z.ZodObject = NoFields,
  Query extends z.ZodObject = NoFields,
  Body extends z.ZodType = z.ZodUndefined,
>({
  params,
  query,
  body,
  example,
  refusals = [],
  handle,
  ...rest
}: RouteInput<Params, Query, Body>): Route => ({
  ...rest,
  params: params ?? z.strictObject({}),
  query: query ?? z.strictObject({}),
  body: body === undefined ? null : { kind: 'json', schema: body, example },
  refusals,
  writes: false,
  // The dispatcher has parsed each part with the route's schemas before it calls the handler.
  handle: (exchange) => handle(exchange as Exchange<z.output<Params>, z.output<Query>, z.output<Body>>),
});

export const ok = (body: unknown, headers: Readonly<Record<string, string>> = {}): Answer => ({
  success: 'ok',
  body,
  headers,
});

/** Documents an answer with a body. */
export const answers = (
  schema: z.ZodType,
  description = 'Done',
  headers: HeadersDeclared = {},
): { ok: AnswerSchema } => ({ ok: { description, schema, headers } });
