import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { Rejected } from '../../errors.ts';
import { parseCheckedJson, parseStorableJson, unstorable } from '../../storable-text.ts';
import { readBody } from './body.ts';

const MAX_JSON_BYTES = 1024 * 1024;
/**
 * Far deeper than any request that the API accepts, and far below what would exhaust the stack of a recursive function.
 */
const MAX_DEPTH = 64;

const JSON_TYPES = /^application\/(json|[\w.+-]+\+json)\s*(;.*)?$/i;

const refuseOtherContent = (request: IncomingMessage): void => {
  const type = request.headers['content-type'] ?? '';
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (!JSON_TYPES.test(type)) {
    const given = type === '' ? 'none' : type.slice(0, 100);
    throw new Rejected('unsupported', 'unsupported-content-type', `The body must be application/json, not ${given}.`);
  }
  const charset = /charset="?([\w-]+)/i.exec(type)?.[1]?.toLowerCase() ?? 'utf-8';
  if (charset !== 'utf-8' && charset !== 'utf8') {
    throw new Rejected('unsupported', 'unsupported-charset', 'JSON must be encoded in UTF-8.');
  }
  if (encoding !== 'identity') {
    throw new Rejected('unsupported', 'unsupported-content-encoding', 'The body must not be compressed.');
  }
};

const decode = (bytes: Buffer): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Rejected('malformed', 'malformed-json', 'The body is not UTF-8 text.', { cause });
  }
};

const UNSTORABLE_DETAILS = {
  'nul-character': 'Texts must not contain the NUL character.',
  'not-unicode': 'Texts must not contain half of a surrogate pair.',
};

const refuseUnstorable = (text: string): void => {
  const fault = unstorable(text);
  if (fault !== null) throw new Rejected('invalid', fault, UNSTORABLE_DETAILS[fault]);
};

/** Goes level by level, since a recursion could exhaust the stack itself. */
const refuseTooDeep = (value: unknown): void => {
  let level = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH)
      throw new Rejected('malformed', 'too-deep', `JSON may be nested at most ${MAX_DEPTH} levels deep.`);
    level = level.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values(item) : []));
  }
};

const hasBody = (request: IncomingMessage): boolean =>
  request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;

type Parse = (text: string) => unknown;

const readJson = async (request: IncomingMessage, parse: Parse, max_bytes = MAX_JSON_BYTES): Promise<unknown> => {
  if (!hasBody(request)) return undefined;
  refuseOtherContent(request);
  const text = decode(await readBody(request, { what: 'A JSON body', max_bytes }));
  try {
    const body = parse(text);
    refuseTooDeep(body);
    return body;
  } catch (error) {
    if (error instanceof Rejected) throw error;
    const detail = error instanceof Error ? error.message.replace(/ in JSON|, ".*" is not valid JSON/g, '') : '';
    throw new Rejected('malformed', 'malformed-json', `The body is not JSON: ${detail}.`, { cause: error });
  }
};

/**
 * Reads the JSON body; undefined where the request has none. Throws `Rejected`: `unsupported` for another content type,
 * `too-large` over `max_bytes` (1 MiB), `malformed` for JSON that is broken or nested too deep, `invalid` for text that Postgres cannot
 * store.
 */
export const readJsonBody = (request: IncomingMessage, max_bytes?: number): Promise<unknown> =>
  readJson(request, (text) => parseCheckedJson(text, refuseUnstorable), max_bytes);

/** The body of a service's message, or why it cannot be read. */
export type ServiceMessageBody = { content: unknown } | { unreadable: Rejected };

/** Any JSON. */
export const ServiceMessage = z.unknown().transform((content): ServiceMessageBody => ({ content }));

/** As `readJsonBody`, but with U+FFFD in the place of what Postgres cannot store, and without an error for the sender. */
export const readServiceMessage = async (request: IncomingMessage): Promise<ServiceMessageBody> => {
  try {
    return ServiceMessage.parse(await readJson(request, parseStorableJson));
  } catch (error) {
    if (error instanceof Rejected) return { unreadable: error };
    throw error;
  }
};
