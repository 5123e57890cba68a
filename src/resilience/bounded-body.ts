import { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import getRawBody, { getRawBodyWeb } from 'raw-body';

export class BodyTooLarge extends Error {
  readonly max_bytes: number;

  constructor(max_bytes: number) {
    super(`the body has more than ${max_bytes} bytes`);
    this.name = 'BodyTooLarge';
    this.max_bytes = max_bytes;
  }
}

const isTooLarge = (error: unknown): boolean =>
  error instanceof Error && 'type' in error && error.type === 'entity.too.large';

const readAll = (body: Readable | ReadableStream<Uint8Array>, limit: number): Promise<Buffer> => {
  if (!(body instanceof Readable)) return getRawBodyWeb(body, { limit });
  // A request that announces too many bytes is refused before they arrive.
  const length = body instanceof IncomingMessage ? (body.headers['content-length'] ?? null) : null;
  return getRawBody(body, { limit, length });
};

/**
 * Reads the whole body of a request, a response or a file into memory. Throws `BodyTooLarge` above `max_bytes`, and an
 * error where the body ends early. A web stream is then cancelled. The rest of a request is left unread: whoever answers
 * the request discards it or closes the connection.
 */
export const readBounded = async (body: Readable | ReadableStream<Uint8Array>, max_bytes: number): Promise<Buffer> => {
  try {
    return await readAll(body, max_bytes);
  } catch (error) {
    if (!isTooLarge(error)) throw error;
    if (!(body instanceof Readable)) await body.cancel().catch(() => undefined);
    throw new BodyTooLarge(max_bytes);
  }
};
