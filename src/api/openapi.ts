import { z } from 'zod';
import type { RejectionKind } from '../errors.ts';
import { Position } from '../events/event.ts';
import { type HeadersDeclared, headersDocumented } from './answer-headers.ts';
import { type JsonSchema, jsonSchemaOf } from './http/json-schema.ts';
import { PROBLEM_TYPE, statusOf, titleOf } from './http/problem.ts';
import { IdempotencyKey, IfMatch } from './request-facts.ts';
import { resources } from './resource.ts';
import { type AnswerSchema, type BodySchema, type Route, SUCCESS_STATUS, type Success } from './route.ts';

const resourceTitles = new Map<z.ZodType, string>(Object.values(resources).map(({ schema, title }) => [schema, title]));

/** Each resource's schema is in the document once; answers refer to it. */
const answerSchema = (schema: z.ZodType): JsonSchema => {
  const title = resourceTitles.get(schema);
  return title === undefined ? jsonSchemaOf(schema, 'output') : { $ref: `#/components/schemas/${title}` };
};

const isRequired = (schema: z.ZodType): boolean => !schema.safeParse(undefined).success;

const parameters = (shape: z.ZodObject, where: 'path' | 'query') =>
  Object.entries(shape.shape).map(([name, schema]) => ({
    name,
    in: where,
    required: where === 'path' || isRequired(schema),
    schema: jsonSchemaOf(schema, 'input'),
  }));

const headerParameter = (name: string) => ({ $ref: `#/components/parameters/${name}` });

const writeHeaders = ({ method }: Route) => (method === 'POST' ? ['Idempotency-Key'] : ['Idempotency-Key', 'If-Match']);

const headersTaken = (route: Route): string[] => [
  'X-Request-Id',
  ...(route.writes ? writeHeaders(route) : []),
  ...(route.repeatable ? ['Idempotency-Key'] : []),
  ...('min_position' in route.query.shape ? ['Min-Position'] : []),
  ...('not-modified' in route.answers ? ['If-None-Match'] : []),
];

const content = (type: string, schema: z.ZodType, example: unknown) => ({
  [type]: { schema: jsonSchemaOf(schema, 'input'), ...(example === undefined ? {} : { example }) },
});
const jsonContent = (schema: z.ZodType, example: unknown) => content('application/json', schema, example);

const requestBody = (body: BodySchema) => {
  if (body.kind === 'form') {
    return { required: true, content: content('application/x-www-form-urlencoded', body.schema, body.example) };
  }
  if (body.kind === 'json' || body.kind === 'message')
    return { required: isRequired(body.schema), content: jsonContent(body.schema, body.example) };
  return {
    required: true,
    content: {
      'multipart/form-data': { schema: jsonSchemaOf(body.form, 'input') },
      ...(body.json === undefined ? {} : jsonContent(body.json, body.example)),
    },
  };
};

const writtenHeaders = (success: Success): HeadersDeclared => ({
  ETag: 'always',
  // Absent where nothing was written.
  Position: 'sometimes',
  ...(success === 'created' || success === 'accepted' ? { Location: 'always' } : {}),
});

const bodyOf = (type: string) =>
  type === PROBLEM_TYPE ? { $ref: '#/components/schemas/Problem' } : { type: 'string' };

const answer = (route: Route, success: Success, { description, schema, type, headers = {} }: AnswerSchema) => ({
  description,
  headers: headersDocumented({ ...(route.writes ? writtenHeaders(success) : {}), ...headers }),
  ...(schema === null ? {} : { content: { 'application/json': { schema: answerSchema(schema) } } }),
  ...(type === undefined ? {} : { content: { [type]: { schema: bodyOf(type) } } }),
});

/**
 * A route with a caller can answer 403 (the user is disabled) and 503 (a system needed to identify the caller is
 * unavailable).
 */
const refusalsOfCaller = ({ permission }: Route): readonly RejectionKind[] => {
  if (permission === 'public') return [];
  const isChecked = permission === 'service' || permission === 'bearer';
  return isChecked ? ['unauthenticated'] : ['unauthenticated', 'forbidden', 'unavailable'];
};

const refusalsOf = (route: Route): RejectionKind[] => [
  ...new Set<RejectionKind>([
    'malformed',
    ...refusalsOfCaller(route),
    // A position of another log.
    ...('min_position' in route.query.shape ? (['invalid'] as const) : []),
    ...(route.body === null ? [] : (['too-large', 'unsupported', 'invalid'] as const)),
    ...route.refusals,
  ]),
];

const ANY_OTHER = 'A fault of BudApp or of a service behind it';

const problemResponse = (description: string, headers: HeadersDeclared = {}) => ({
  description,
  headers: headersDocumented(headers),
  content: { [PROBLEM_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
});

const PROBLEM_HEADERS: Readonly<Partial<Record<RejectionKind, HeadersDeclared>>> = {
  unauthenticated: { 'WWW-Authenticate': 'always' },
  // Where the first request with the same Idempotency-Key is still running, or others kept changing the resource.
  conflict: { 'Retry-After': 'sometimes' },
  'too-many': { 'Retry-After': 'always' },
  unavailable: { 'Retry-After': 'always' },
};

const UNAVAILABLE = `A system that is needed is away (\`log-unavailable\`, \`database-unavailable\`,
\`service-unavailable\`), or has not come so far yet (\`read-model-behind\`): try again after \`Retry-After\`. \`log-behind\`: the log has
lost events that were accepted, and nothing is written until an operator has restored or healed it; what was shown can be read.`;

const describe = (kind: RejectionKind): string =>
  kind === 'unavailable' ? `${titleOf(kind)}. ${UNAVAILABLE}` : titleOf(kind);

/** Refusals stand in the document once, except where a route adds headers of its own. */
const refusal = ({ refusal_headers }: Route, kind: RejectionKind | 'problem') => {
  if (refusal_headers === undefined) return { $ref: `#/components/responses/${kind}` };
  if (kind === 'problem') return problemResponse(ANY_OTHER, refusal_headers);
  return problemResponse(describe(kind), { ...PROBLEM_HEADERS[kind], ...refusal_headers });
};

const responses = (route: Route) => {
  const entries = Object.entries(route.answers) as [Success, AnswerSchema][];
  const successes = entries.map(([success, schema]) => [SUCCESS_STATUS[success], answer(route, success, schema)]);
  const known = new Set(successes.map(([status]) => status));
  const problems = refusalsOf(route)
    .filter((kind) => !known.has(statusOf(kind)))
    .map((kind) => [statusOf(kind), refusal(route, kind)]);
  return Object.fromEntries([...successes, ...problems, ['default', refusal(route, 'problem')]]);
};

const security = ({ permission }: Route): Record<string, string[]>[] => {
  if (permission === 'public') return [];
  return permission === 'service' ? [{ serviceToken: [] }] : [{ bearer: [] }];
};

const needs = ({ permission }: Route): string | undefined => {
  if (permission === 'public' || permission === 'bearer' || permission === 'signed-in') return undefined;
  if (permission === 'service') return undefined;
  if (permission === 'admin') return 'Needs the role admin.';
  if (permission === 'system') return 'Only for processes and services of BudApp.';
  if (typeof permission === 'string') return `Needs the scope \`${permission}\`.`;
  const scopes = permission.map((scope) => `\`${scope}\``);
  return `Needs one of the scopes ${scopes.join(', ')}: the resource decides which one.`;
};

const operation = (route: Route) => {
  const description = [route.description, needs(route)].filter((text) => text !== undefined).join('\n\n');
  const taken = [...parameters(route.params, 'path'), ...parameters(route.query, 'query')];
  return {
    operationId: route.operation_id,
    summary: route.summary,
    ...(description === '' ? {} : { description }),
    tags: [route.tag],
    security: security(route),
    parameters: [...taken, ...headersTaken(route).map(headerParameter)],
    ...(route.body === null ? {} : { requestBody: requestBody(route.body) }),
    responses: responses(route),
  };
};

const Problem = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  /** Stable and machine-readable. */
  code: z.string(),
  hint: z.string().optional(),
  errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
  request_id: z.string(),
});

const KINDS: readonly RejectionKind[] = [
  'malformed',
  'invalid',
  'unauthenticated',
  'forbidden',
  'not-found',
  'conflict',
  'stale',
  'too-large',
  'unsupported',
  'too-many',
  'unavailable',
];

const header = (name: string, description: string, schema: z.ZodType = z.string()) => ({
  name,
  in: 'header',
  required: false,
  description,
  schema: jsonSchemaOf(schema, 'input'),
});

const WEAK = 'Weak tags (W/) count like strong ones: a tag names a revision, not bytes.';

const PARAMETERS = [
  header('X-Request-Id', 'An id for this request; the answer and the log carry it.'),
  header(
    'Idempotency-Key',
    '1 to 255 characters; a repeated request with the same key gets the first answer. A refused request frees its key.',
    IdempotencyKey,
  ),
  header(
    'If-Match',
    `The ETags that the change may be based on, or *; 412 where the resource has changed since. ${WEAK}`,
    IfMatch,
  ),
  header('If-None-Match', `The ETags that the caller has, or *; 304 where the resource has not changed since. ${WEAK}`),
  header(
    'Min-Position',
    'Waits until the read model has reached this position; 503 where that takes too long. Own writes need none.',
    Position,
  ),
];

const components = () => ({
  schemas: {
    ...Object.fromEntries(Object.values(resources).map(({ title, schema }) => [title, jsonSchemaOf(schema, 'output')])),
    Problem: jsonSchemaOf(Problem, 'output'),
  },
  parameters: Object.fromEntries(PARAMETERS.map((parameter) => [parameter.name, parameter])),
  responses: {
    ...Object.fromEntries(KINDS.map((kind) => [kind, problemResponse(describe(kind), PROBLEM_HEADERS[kind])])),
    problem: problemResponse(ANY_OTHER),
  },
  securitySchemes: {
    bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
    serviceToken: { type: 'apiKey', in: 'header', name: 'dapr-api-token' },
  },
});

interface DocumentFacts {
  version: string;
  public_url: string;
}

/** The OpenAPI 3.1 document of the routes. */
export const openApiOf = (routes: readonly Route[], { version, public_url }: DocumentFacts) => {
  const paths = new Map<string, Record<string, unknown>>();
  for (const route of routes) {
    paths.set(route.path, { ...paths.get(route.path), [route.method.toLowerCase()]: operation(route) });
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'BudApp',
      version,
      summary: 'The control plane for deploying AI models',
      license: { name: 'AGPL-3.0-only', identifier: 'AGPL-3.0-only' },
    },
    servers: [{ url: public_url }],
    tags: [...new Set(routes.map(({ tag }) => tag))].map((name) => ({ name })),
    paths: Object.fromEntries(paths),
    components: components(),
  };
};
