import { z } from 'zod';
import type { AnyCommand } from '../commands/command.ts';
import { type InputError, Rejected } from '../errors.ts';
import { requestHash } from './idempotency.ts';
import { resources } from './resource.ts';
import type { AnswerSchema, Exchange, Method, Route, Success } from './route.ts';
import { perform, type WriteServices, writeAnswer } from './write.ts';

export type Fields = Readonly<Record<string, unknown>>;

interface CommandRouteOptions {
  tag: string;
  /** The summary in the OpenAPI document; default: the command's own. */
  summary?: string;
  /** The operation id in the OpenAPI document; needed where several paths lead to one command. */
  operation_id?: string;
  /** Fields that the request may leave out, with their defaults. */
  defaults?: (exchange: Exchange) => Fields;
  example?: unknown;
  /** True where the command starts a workflow, which continues after the answer. */
  starts_process?: boolean;
}

const parametersOf = (path: string): string[] => [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');

const shapeOf = (command: AnyCommand): Readonly<Record<string, z.ZodType>> => {
  if (command.data instanceof z.ZodObject) return command.data.shape;
  throw new Error(`the data of ${command.type} is not an object`);
};

/**
 * The schema of the body, for the OpenAPI document only: the command's data without the path's parameters, and with
 * `project_id` optional where it has a default. The command handler validates the data.
 */
const bodyOf = (command: AnyCommand, parameters: readonly string[], defaulted: boolean): z.ZodObject | null => {
  const entries = Object.entries(shapeOf(command)).filter(([name]) => !parameters.includes(name));
  const shape = entries.map(([name, schema]) => [
    name,
    defaulted && name === 'project_id' ? schema.optional() : schema,
  ]);
  return entries.length === 0 ? null : z.strictObject(Object.fromEntries(shape));
};

const paramsOf = (command: AnyCommand, parameters: readonly string[]): z.ZodObject => {
  const shape = shapeOf(command);
  return z.strictObject(
    Object.fromEntries(
      parameters.map((name) => {
        const schema = shape[name];
        if (!schema) throw new Error(`${command.type} has no field ${name}, which its path names`);
        return [name, schema];
      }),
    ),
  );
};

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The body merged with the path's parameters. Throws `Rejected` where they contradict each other. */
const mergeData = (body: unknown, params: Fields): Fields => {
  const given = body ?? {};
  if (!isFields(given)) throw new Rejected('invalid', 'invalid-input', 'The body must be a JSON object.');
  const errors = Object.entries(params).flatMap(([name, value]): InputError[] =>
    Object.hasOwn(given, name) && given[name] !== value
      ? [{ pointer: `/${name}`, detail: `is ${String(value)} in the path` }]
      : [],
  );
  if (errors.length === 0) return { ...given, ...params };
  throw new Rejected('invalid', 'path-mismatch', 'The body contradicts the path.', { errors });
};

const successOf = (command: AnyCommand, startsProcess: boolean): Success => {
  if (startsProcess) return 'accepted';
  return command.creates ? 'created' : 'ok';
};

const answersOf = (command: AnyCommand, startsProcess: boolean): Partial<Record<Success, AnswerSchema>> => {
  const { title, area, schema } = resources[command.aggregate.area];
  const description = startsProcess
    ? `The ${area} as it is now; \`workflow_id\` names the workflow that the command started`
    : `The ${area} after the command`;
  // A command that changes nothing starts no workflow.
  const unchanged = startsProcess && !command.creates ? { ok: { description: `The ${title}, unchanged`, schema } } : {};
  return { [successOf(command, startsProcess)]: { description, schema }, ...unchanged };
};

const permissionOf = ({ permission }: AnyCommand): Route['permission'] =>
  typeof permission === 'string' ? permission : permission.any_of;

/** Makes routes from commands. The command handler validates the data and authorises the caller. */
export const commandRoutes =
  (services: WriteServices) =>
  (method: Method, path: string, command: AnyCommand, options: CommandRouteOptions): Route => {
    const {
      tag,
      summary = command.summary,
      operation_id = command.type,
      defaults,
      example,
      starts_process = false,
    } = options;
    const parameters = parametersOf(path);
    const schema = bodyOf(command, parameters, defaults !== undefined);
    return {
      method,
      path,
      operation_id,
      summary,
      tag,
      permission: permissionOf(command),
      params: paramsOf(command, parameters),
      query: z.strictObject({}),
      body: {
        kind: 'json',
        schema: schema ?? z.strictObject({}).optional(),
        example,
        max_bytes: command.max_body_bytes,
      },
      answers: answersOf(command, starts_process),
      refusals: ['forbidden', 'not-found', 'conflict', 'stale', 'invalid'],
      writes: true,
      handle: async (exchange) => {
        const params = isFields(exchange.params) ? exchange.params : {};
        const data = { ...defaults?.(exchange), ...mergeData(exchange.body, params) };
        const { caller, facts, ctx } = exchange;
        const keyed = { caller, key: facts.idempotency_key, request_hash: requestHash(method, ctx.path, data) };
        return services.idempotency.run(keyed, async (attempt) => {
          const outcome = await perform(services, command, { data, exchange, attempt });
          return writeAnswer(services, command, { outcome, attempt });
        });
      },
    };
  };
