import type { IncomingMessage } from 'node:http';
import { Rejected } from '../../errors.ts';

const MAX_FORM_BYTES = 64 * 1024;
const FORM_TYPE = /^application\/x-www-form-urlencoded\s*(;.*)?$/i;

const tooLarge = () => new Rejected('too-large', 'body-too-large', `A form may have at most ${MAX_FORM_BYTES} bytes.`);

const readText = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request) {
      size += chunk.length;
      if (size > MAX_FORM_BYTES) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof Rejected) throw cause;
    throw new Rejected('malformed', 'body-cut-short', 'The body ended too early.', { cause });
  }
  return Buffer.concat(chunks, size).toString('utf8');
};

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
  const fields = [...new URLSearchParams(await readText(request))];
  const names = new Set(fields.map(([name]) => name));
  if (names.size !== fields.length) {
    throw new Rejected('malformed', 'repeated-field', 'A field of the form occurs more than once.');
  }
  return Object.fromEntries(fields);
};
