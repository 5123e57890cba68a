import type { IncomingMessage } from 'node:http';
import { Rejected } from '../../errors.ts';
import { BodyTooLarge, readBounded } from '../../resilience/bounded-body.ts';

/** The body of a request. `what` begins the sentence about one that is larger, for example "A form". Throws `Rejected`. */
export const readBody = async (
  request: IncomingMessage,
  { what, max_bytes }: { what: string; max_bytes: number },
): Promise<Buffer> => {
  try {
    return await readBounded(request, max_bytes);
  } catch (cause) {
    if (cause instanceof BodyTooLarge)
      throw new Rejected('too-large', 'body-too-large', `${what} may have at most ${max_bytes} bytes.`, { cause });
    throw new Rejected('malformed', 'body-cut-short', 'The body ended too early.', { cause });
  }
};
