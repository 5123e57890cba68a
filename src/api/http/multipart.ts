import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { Busboy, type BusboyFileStream, type BusboyInstance } from '@fastify/busboy';
import { Rejected } from '../../errors.ts';

/** Text fields of a form, by name. */
export type FormFields = Readonly<Record<string, string | readonly string[]>>;

export interface FormFile {
  field: string;
  /** As the sender calls it, without folders. */
  name: string;
  stream: Readable;
}

export interface FormOptions {
  /** Bytes that the request as a whole may have. */
  maxBytes: number;
  /** Text fields that may occur; any other is refused. */
  fields: readonly string[];
  /** The field of the one file. */
  file: string;
}

export interface ReadForm<T> {
  fields: FormFields;
  /** What the file's handler made of it; null where the form has no file. */
  file: T | null;
}

const FIELD_BYTES = 64 * 1024;
const FIELDS = 64;
/** What a form has besides its file. */
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
 * Reads a form. `take` gets the one file while it arrives, with the fields that came before it, and must read it to its
 * end or throw; what it throws is thrown, after it has ended. Throws `Rejected` for unknown or too large fields, a
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
  const taken: Promise<T>[] = [];
  const refuse = (error: Error) => aborted.abort(error);

  parser.on('field', (name: string, value: string, _nameCut: boolean, valueCut: boolean) => {
    if (!known.includes(name)) refuse(unexpected(`/${name}`, 'unknown field'));
    else if (valueCut) refuse(unexpected(`/${name}`, `has more than ${FIELD_BYTES} bytes`));
    else if (value.includes('\0')) refuse(unexpected(`/${name}`, 'contains the NUL character'));
    else appendField(fields, name, value);
  });
  parser.on('fieldsLimit', () => refuse(malformed(`it has more than ${FIELDS} fields`)));
  parser.on('file', (field: string, stream: BusboyFileStream, name: string) => {
    let fault: unknown;
    // Whoever reads the stream fails with it, and has the word; an error that nobody hears would end the process.
    stream.on('error', (error) => {
      fault = error;
    });
    if (field !== fileField) return refuse(unexpected(`/${field}`, 'unknown file'));
    if (taken.length > 0) return refuse(unexpected(`/${field}`, 'only one file at a time'));
    if (!name) return refuse(unexpected(`/${field}`, 'has no file name'));
    const taking = take({ field, name, stream }, fields);
    taken.push(taking);
    aborted.signal.addEventListener('abort', () => stream.destroy(asError(aborted.signal.reason)), { once: true });
    taking.catch((error) => refuse(causeOf(error, fault)));
  });

  await receive({ request, parser, aborted });
  // The file may go on being written after its last byte has arrived; after a refusal, until its writer has cleaned up.
  const file = await settle(taken[0] ?? null, aborted.signal);
  return { fields, file };
};

/** A reader that failed only because its file was cut short says nothing about the file; one that refused it does. */
const causeOf = (error: unknown, fault: unknown): Error => {
  const refused = error instanceof Rejected && (fault === undefined || error === fault || error.cause !== fault);
  return refused || fault === undefined ? asError(error) : malformed('it ended too early', fault);
};

const asError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error(String(reason)));

/**
 * Ends when all of it has arrived, or nothing more is wanted. The rest of a refused form is thrown away rather than the
 * connection: whoever still sends would not get to read why.
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
    if (!request.complete) cutShort();
  });
  request.pipe(parser);
  return promise;
};

const settle = async <T>(taken: Promise<T> | null, signal: AbortSignal): Promise<T | null> => {
  const [result] = await Promise.allSettled([taken]);
  signal.throwIfAborted();
  if (result.status === 'rejected') throw result.reason;
  return result.value;
};
