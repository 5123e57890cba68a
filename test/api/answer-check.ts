import { z } from 'zod';
import { type OpenApi, pointerTo, readOpenApi } from './openapi-document.ts';

/** An answer as it came over the wire. */
export interface ReceivedAnswer {
  method: string;
  /** As it was asked for, without the query. */
  path: string;
  status: number;
  headers: Headers;
  /** null: not read, see `STREAMS`. */
  text: string | null;
}

/** Paths that the document leaves out, each with its reason. */
const UNDOCUMENTED: readonly { path: RegExp; reason: string }[] = [
  { path: /^\/docs\/[\w.-]+$/, reason: "parts of the documentation page, nobody's interface" },
  { path: /^\/$/, reason: 'a page for persons' },
];

/** Media types whose answers do not end: status and headers are checked; OpenAPI 3.1 cannot describe the messages. */
export const STREAMS: readonly string[] = ['text/event-stream'];

/** HTTP's own and the same for every answer. Any other header of an answer must be declared. */
const COMMON_HEADERS = new Set([
  ...['allow', 'cache-control', 'connection', 'content-length', 'content-type', 'date', 'keep-alive'],
  ...['content-security-policy', 'cross-origin-resource-policy', 'referrer-policy', 'transfer-encoding'],
  ...['x-accel-buffering', 'x-content-type-options', 'x-frame-options'],
]);

const ResponseObject = z.object({
  headers: z.record(z.string(), z.unknown()).default({}),
  content: z.record(z.string(), z.unknown()).default({}),
});
const HeaderObject = z.object({ required: z.boolean().default(false) });

const PROBLEM = pointerTo('components', 'responses', 'problem');

const undeclared = ({ status }: ReceivedAnswer): string[] => [`status ${status} is not declared`];

const mediaTypeOf = (headers: Headers): string | null =>
  headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? null;

const headerFaults = (openApi: OpenApi, pointer: string, { headers }: ReceivedAnswer): string[] => {
  const names = Object.keys(ResponseObject.parse(openApi.locate(pointer).value).headers);
  const faults = names.flatMap((name) => {
    const header = openApi.locate(`${pointer}${pointerTo('headers', name)}`);
    const value = headers.get(name);
    if (value === null) return HeaderObject.parse(header.value).required ? [`header ${name} is missing`] : [];
    return openApi.faultsOf(`${header.pointer}/schema`, value).map((fault) => `header ${name}: ${fault}`);
  });
  const known = new Set(names.map((name) => name.toLowerCase()));
  const strange = [...headers.keys()].filter((name) => !COMMON_HEADERS.has(name) && !known.has(name));
  return [...faults, ...strange.map((name) => `header ${name} is not declared`)];
};

const bodyFaults = (openApi: OpenApi, pointer: string, { method, text, headers }: ReceivedAnswer): string[] => {
  const types = Object.keys(ResponseObject.parse(openApi.locate(pointer).value).content);
  if (method === 'HEAD' || types.length === 0) return text ? ['a body where none is declared'] : [];
  const type = mediaTypeOf(headers);
  if (type === null || !types.includes(type)) return [`content type ${type} is not declared`];
  if (STREAMS.includes(type)) return [];
  const schema = `${pointer}${pointerTo('content', type, 'schema')}`;
  if (!type.endsWith('json')) return openApi.faultsOf(schema, text);
  try {
    return openApi.faultsOf(schema, JSON.parse(text ?? ''));
  } catch (error) {
    if (error instanceof SyntaxError) return [`the body is not JSON: ${error.message}`];
    throw error;
  }
};

const responseFaults = (openApi: OpenApi, at: string, answer: ReceivedAnswer): string[] => {
  const { pointer } = openApi.locate(at);
  return [...headerFaults(openApi, pointer, answer), ...bodyFaults(openApi, pointer, answer)];
};

/** A method that a described path does not have: HTTP itself says what is answered. */
const methodFaults = (openApi: OpenApi, answer: ReceivedAnswer): string[] => {
  const { method, status, headers, text } = answer;
  const faults = headers.has('allow') ? [] : ['header allow is missing'];
  if (method === 'OPTIONS') return status === 204 && !text ? faults : [...faults, ...undeclared(answer)];
  return [...faults, ...(status === 405 ? responseFaults(openApi, PROBLEM, answer) : undeclared(answer))];
};

/**
 * Checks answers against the OpenAPI 3.1 document of who gave them; answers what is wrong in words, nothing if all is well.
 * Stricter than the specification: `default` covers only 5xx, since clients are written for the 4xx that are declared.
 */
export const createAnswerCheck = (document: unknown) => {
  const openApi = readOpenApi(document);
  return (answer: ReceivedAnswer): string[] => {
    const { method, path, status } = answer;
    if (UNDOCUMENTED.some((each) => each.path.test(path)) && status < 400) return [];
    const described = openApi.describes(method, path);
    if (described.kind === 'other-methods') return methodFaults(openApi, answer);
    if (described.kind === 'unknown-path') {
      return status === 404 ? responseFaults(openApi, PROBLEM, answer) : undeclared(answer);
    }
    const codes = [String(status), ...(status >= 500 ? ['default'] : [])];
    const responses = codes.map((code) => `${described.pointer}/responses/${code}`);
    const declared = responses.find((pointer) => openApi.locate(pointer).value !== undefined);
    return declared === undefined ? undeclared(answer) : responseFaults(openApi, declared, answer);
  };
};
