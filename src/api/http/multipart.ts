import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { Busboy, type BusboyFileStream, type BusboyInstance } from '@fastify/busboy';
import { Rejected } from '../../errors.ts';

/** Text fields of a form, by name. */
export type FormFields = Readonly<Record<string, string | readonly string[]>>;

export interface FormFile {
  field: string;
  /** The file name that the sender gave, without folders. */
  name: string;
  stream: Readable;
}

export interface FormOptions {
  /** Maximum size of the file, in bytes; the request may have 1 MiB more. */
  maxBytes: number;
  /** Names of the text fields; any other is refused. */
  fields: readonly string[];
  /** Name of the field with the file. */
  file: string;
}

export interface ReadForm<T> {
  fields: FormFields;
  /** The result of `take`; null where the form has no file. */
  file: T | null;
}

const FIELD_BYTES = 64 * 1024;
const FIELDS = 64;
/** Room for the text fields and boundaries of a request. */
const FORM_OVERHEAD_BYTES = 1024 * 1024;

const malformed = (detail: string, cause?: unknown) =>
  new Rejected('malformed', 'malformed-form', `The form cannot be read: ${detail}.`, { cause });

const unexpected = (pointer: string, detail: string) =>
  new Rejected('invalid', 'invalid-input', `The form is invalid: ${pointer}: ${detail}.`, {
    errors: [{ pointer, detail }],
  });

export const isMultipart = ({ headers }: IncomingMessage): boolean =>
  /^multipart\/form-data\s*;/i.test(headers['content-type'] ?? '');

const refuseTooLarge = ({ headers }: IncomingMessage, maxBytes: number): void => {
  if (Number(headers['content-length'] ?? 0) <= maxBytes + FORM_OVERHEAD_BYTES) return;
  throw new Rejected('too-large', 'upload-too-large', `A file may have at most ${maxBytes} bytes.`);
};

const parserOf = (request: IncomingMessage): BusboyInstance => {
  const type = request.headers['content-type'] ?? '';
  try {
    const limits = { fieldSize: FIELD_BYTES, fields: FIELDS, files: 2, headerPairs: 20 };
    return new Busboy({ headers: { ...request.headers, 'content-type': type }, limits });
  } catch (cause) {
    throw malformed('it has no boundary', cause);
  }
};

const appendField = (fields: Record<string, string | string[]>, name: string, value: string): void => {
  const before = fields[name];
  if (before === undefined) fields[name] = value;
  else fields[name] = Array.isArray(before) ? [...before, value] : [before, value];
};

/**
 * Reads a form. `take` gets the file while it arrives, with the fields that came before it. It must read the file to
 * its end or throw, and `readForm` rejects with what it throws. Throws `Rejected` for unknown or too large fields, a
 * second file, a form that ends too early, and a request that is larger than `maxBytes`.
 */
export const readForm = async <T>(
  request: IncomingMessage,
  { maxBytes, fields: known, file: fileField }: FormOptions,
  take: (file: FormFile, before: FormFields) => Promise<T>,
): Promise<ReadForm<T>> => {
  refuseTooLarge(request, maxBytes);
  const parser = parserOf(request);
  const fields: Record<string, string | string[]> = {};
  const aborted = new AbortController();
  const files: Promise<T>[] = [];
  const refuse = (error: Error) => aborted.abort(error);

  parser.on('field', (name: string, value: string, _nameCut: boolean, valueCut: boolean) => {
    if (!known.includes(name)) refuse(unexpected(`/${name}`, 'unknown field'));
    else if (valueCut) refuse(unexpected(`/${name}`, `has more than ${FIELD_BYTES} bytes`));
    else if (value.includes('\0')) refuse(unexpected(`/${name}`, 'contains the NUL character'));
    else appendField(fields, name, value);
  });
  parser.on('fieldsLimit', () => refuse(malformed(`it has more than ${FIELDS} fields`)));
  parser.on('file', (field: string, stream: BusboyFileStream, name: string) => {
    let streamError: unknown;
    // Only keeps the error from being unhandled, which would end the process: the reader of the stream gets it too.
    stream.on('error', (error) => {
      streamError = error;
    });
    // The parser goes on to the end of the piece that has arrived, although the form was refused in it.
    if (aborted.signal.aborted) return stream.resume();
    if (field !== fileField) return refuse(unexpected(`/${field}`, 'unknown file'));
    if (files.length > 0) return refuse(unexpected(`/${field}`, 'a second file: only one is accepted'));
    if (!name) return refuse(unexpected(`/${field}`, 'has no file name'));
    const pending = take({ field, name, stream }, fields);
    files.push(pending);
    aborted.signal.addEventListener('abort', () => stream.destroy(asError(aborted.signal.reason)), { once: true });
    pending.catch((error) => refuse(causeOf(error, streamError)));
  });

  await receive({ request, parser, aborted });
  // Waits for `take`: it may still be writing after the last byte has arrived, or cleaning up after a refusal.
  const file = await settle(files[0] ?? null, aborted.signal);
  return { fields, file };
};

/**
 * The reason why `take` failed: its own refusal, or that the form ended too early where the stream's error made it
 * fail.
 */
const causeOf = (error: unknown, streamError: unknown): Error => {
  const refused =
    error instanceof Rejected && (streamError === undefined || error === streamError || error.cause !== streamError);
  return refused || streamError === undefined ? asError(error) : malformed('it ended too early', streamError);
};

const asError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error(String(reason)));

/**
 * Resolves when the whole form has been parsed, or when it was refused. The rest of a refused form is read and
 * discarded: if the connection were closed, a client that is still sending could not read the answer.
 */
const receive = (parts: {
  request: IncomingMessage;
  parser: BusboyInstance;
  aborted: AbortController;
}): Promise<void> => {
  const { request, parser, aborted } = parts;
  const { promise, resolve } = Promise.withResolvers<void>();
  const cutShort = (cause?: unknown) => aborted.abort(malformed('it ended too early', cause));
  aborted.signal.addEventListener(
    'abort',
    () => {
      request.unpipe(parser);
      request.resume();
      resolve();
    },
    { once: true },
  );
  parser.once('finish', resolve);
  parser.on('error', cutShort);
  request.once('error', cutShort);
  request.once('close', () => {
    if (!request.readableEnded) cutShort();
  });
  // A client that has gone before its form is read: no event tells of it any more.
  if (request.destroyed) cutShort();
  else request.pipe(parser);
  return promise;
};

const settle = async <T>(file: Promise<T> | null, signal: AbortSignal): Promise<T | null> => {
  const [result] = await Promise.allSettled([file]);
  signal.throwIfAborted();
  if (result.status === 'rejected') throw result.reason;
  return result.value;
};
