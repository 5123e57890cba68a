import type { IncomingMessage } from 'node:http';
import { Rejected } from '../../errors.ts';
import { readBody } from './body.ts';

const MAX_FORM_BYTES = 64 * 1024;
const FORM_TYPE = /^application\/x-www-form-urlencoded\s*(;.*)?$/i;

/**
 * Reads the fields of a form. Throws `Rejected`: `unsupported` for another content type, `too-large` over 64 KiB,
 * `malformed` for a field that occurs twice.
 */
export const readFormBody = async (request: IncomingMessage): Promise<Record<string, string>> => {
  const type = request.headers['content-type'] ?? '';
  if (!FORM_TYPE.test(type)) {
    const given = type === '' ? 'none' : type.slice(0, 100);
    const message = `The body must be application/x-www-form-urlencoded, not ${given}.`;
    throw new Rejected('unsupported', 'unsupported-content-type', message);
  }
  const body = await readBody(request, { what: 'A form', max_bytes: MAX_FORM_BYTES });
  const fields = [...new URLSearchParams(body.toString('utf8'))];
  const names = new Set(fields.map(([name]) => name));
  if (names.size !== fields.length) {
    throw new Rejected('malformed', 'repeated-field', 'A field of the form occurs more than once.');
  }
  return Object.fromEntries(fields);
};
