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
  // Who announces too much is refused before it arrives.
  const length = body instanceof IncomingMessage ? (body.headers['content-length'] ?? null) : null;
  return getRawBody(body, { limit, length });
};

/**
 * All of a request's, a response's or a file's body, in memory. Throws `BodyTooLarge` over `max_bytes`, and where it ends
 * early what says so. A web stream is then cancelled; of a request the rest is left unread: whoever answers it throws the
 * rest away or closes the connection.
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
