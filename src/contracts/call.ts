import type { z } from 'zod';

/** One call of another service, ready to be sent. */
export interface CallRequest {
  app_id: string;
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Without a leading slash. */
  path: string;
  query?: Readonly<Record<string, string>>;
  /** JSON body; absent where `multipart` is set. */
  body?: unknown;
  /** Form fields; a field with `file_name` is sent as a file. */
  multipart?: Readonly<Record<string, { value: string; file_name?: string }>>;
  timeout_ms: number;
}

interface CallDefinition<Input extends z.ZodType, Answer extends z.ZodType> {
  app_id: string;
  method: CallRequest['method'];
  path: (input: z.output<Input>) => string;
  query?: (input: z.output<Input>) => Record<string, string | number | boolean | undefined>;
  /** The JSON body; absent where the request has none. */
  body?: (input: z.output<Input>) => unknown;
  multipart?: (input: z.output<Input>) => NonNullable<CallRequest['multipart']>;
  input: Input;
  answer: Answer;
  timeout_ms: number;
  /** True where the answer only says that the work was accepted. Messages bring the result. */
  asynchronous: boolean;
}

/** An operation of another service: how to ask, and how to read what comes back. */
export interface Call<Input extends z.ZodType, Answer> {
  app_id: string;
  method: CallRequest['method'];
  timeout_ms: number;
  asynchronous: boolean;
  input: Input;
  /** Takes anything, such as an input that was stored as JSON; throws `ZodError` where it breaks the contract. */
  toRequest(input: unknown): CallRequest;
  /** Throws `ZodError` where the answer breaks the contract. */
  parseAnswer(answer: unknown): Answer;
}

const asText = (query: Record<string, string | number | boolean | undefined>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  );

export const defineCall = <Input extends z.ZodType, Answer extends z.ZodType>(
  definition: CallDefinition<Input, Answer>,
): Call<Input, z.output<Answer>> => ({
  app_id: definition.app_id,
  method: definition.method,
  timeout_ms: definition.timeout_ms,
  asynchronous: definition.asynchronous,
  input: definition.input,
  toRequest(raw) {
    const input = definition.input.parse(raw);
    return {
      app_id: definition.app_id,
      method: definition.method,
      path: definition.path(input),
      ...(definition.query === undefined ? {} : { query: asText(definition.query(input)) }),
      ...(definition.body === undefined ? {} : { body: definition.body(input) }),
      ...(definition.multipart === undefined ? {} : { multipart: definition.multipart(input) }),
      timeout_ms: definition.timeout_ms,
    };
  },
  parseAnswer: (answer) => definition.answer.parse(answer),
});
