import { StreamDeletedError } from '@eventstore/db-client';
import { historyDamaged, type Rejected } from '../../errors.ts';
import { isAccessDenied } from './connection.ts';
import { eventIn, type ReadServer, readWith } from './read.ts';
import { readStreamRequest } from './read-request.ts';

/*
 * What others can do to a stream of BudApp's, which itself never shortens one:
 *
 *     tombstone      reads and appends fail                    -> told by the server's error
 *     $maxCount, ... the stream begins later than it is read   -> told by the first revision
 *     deletion       the stream is not found                   -> told by its metadata
 */

/** The server's answer to a read or an append in words of the domain, where the stream has a tombstone. */
export const damageOf = (error: unknown, stream: string): Rejected | null =>
  error instanceof StreamDeletedError ? historyDamaged(stream, 'somebody has deleted it for good', error) : null;

/** Where a read forwards has not begun at the revision that it asked for. */
export const assertWhole = (stream: string, { from, first }: { from: number; first: number | null }): void => {
  if (first !== null && first > from)
    throw historyDamaged(stream, `somebody has cut it: it begins at revision ${first}, not at ${from}`);
};

/** The metadata of a stream are in a stream of their own, which an ACL may keep from BudApp: then nobody can tell. */
const hasMetadata = async (server: ReadServer, stream: string): Promise<boolean> => {
  try {
    return await readWith(server, () => {
      let found = false;
      return {
        request: readStreamRequest(`$$${stream}`, { from: 'end', backwards: true, count: 1 }),
        take(answer) {
          found ||= eventIn(answer) !== undefined;
          return false;
        },
        finish: () => found,
        keep: () => null,
      };
    });
  } catch (error) {
    if (isAccessDenied(error)) return false;
    throw error;
  }
};

/** Throws where a stream that was not found has been deleted: only then does it have metadata. */
export const assertNotDeleted = async (server: ReadServer, stream: string): Promise<void> => {
  if (await hasMetadata(server, stream)) throw historyDamaged(stream, 'somebody has deleted it');
};
