import { createHash } from 'node:crypto';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { canonicalJson } from '../canonical-json.ts';
import { Rejected } from '../errors.ts';
import { CommandId, newId } from '../events/ids.ts';
import type { Closable } from '../ports/closable.ts';
import type { ApiCaller } from './callers/caller.ts';

/** The id of a command, and whether it may have been performed before. */
export interface CommandAttempt {
  command_id: CommandId;
  may_repeat: boolean;
  /** Absent where the request has no key. */
  request_hash?: string;
}

export interface KeyedRequest {
  caller: ApiCaller;
  /** The header `Idempotency-Key`. */
  key: string | undefined;
  request_hash: string;
}

/** How long a key stays locked; after that its request counts as ended by a crash. */
const LOCK_SECONDS = 30;
const KEEP_DAYS = 7;
const CLEANUP_MS = 60 * 60 * 1000;
const RETRY_SECONDS = { least: 1, most: 10 } as const;

const lockedUntil = `now() + make_interval(secs => ${LOCK_SECONDS})`;
/** The end of a lock names its holder: another request can have taken the key over since. */
const HELD = 'tenant_id = $1 and user_id = $2 and key = $3 and locked_until = $4::timestamptz';

const claimKey = `
  insert into idempotency_keys (tenant_id, user_id, key, command_id, request_hash, locked_until)
  values ($1, $2, $3, $4, $5, ${lockedUntil})
  on conflict (tenant_id, user_id, key) do nothing
  returning locked_until::text`;
const findKey = `
  select command_id, request_hash, extract(epoch from now() - created_at)::float8 as age_seconds
  from idempotency_keys where tenant_id = $1 and user_id = $2 and key = $3`;
const takeOverKey = `
  update idempotency_keys set locked_until = ${lockedUntil}
  where tenant_id = $1 and user_id = $2 and key = $3 and (locked_until is null or locked_until <= now())
  returning locked_until::text`;
const extendLock = `update idempotency_keys set locked_until = ${lockedUntil} where ${HELD} returning locked_until::text`;
const releaseKey = `update idempotency_keys set locked_until = null where ${HELD}`;
const freeKey = `delete from idempotency_keys where ${HELD}`;
const forgetKeys = `delete from idempotency_keys where created_at < now() - interval '${KEEP_DAYS} days'`;

interface KeyRow {
  command_id: string;
  request_hash: string;
  age_seconds: number;
}

interface LockRow {
  locked_until: string;
}

/** Most requests end within a second; one that has lasted for minutes is an upload, of which the rest may be long too. */
const inProgress = (age_seconds: number) =>
  new Rejected('conflict', 'request-in-progress', 'A request with this Idempotency-Key is still running.', {
    retryAfterSeconds: Math.min(RETRY_SECONDS.most, Math.max(RETRY_SECONDS.least, Math.ceil(age_seconds / 10))),
  });

const keyReused = () =>
  new Rejected('invalid', 'idempotency-key-reused', 'This Idempotency-Key was used for another request.', {
    hint: 'Use a new key for each request.',
  });

/** SHA-256 (hex) of method, path and content: two requests with the same hash are the same request. */
export const requestHash = (method: string, path: string, content: unknown): string =>
  createHash('sha256')
    .update(`${method} ${path}\n${canonicalJson(content)}`)
    .digest('hex');

/**
 * True where the request certainly changed nothing: the log may have appended what it reported as unavailable. A repeat
 * can be refused although its first attempt was performed, for example because the caller has lost the permission.
 */
const changedNothing = (error: unknown, { may_repeat }: CommandAttempt): boolean =>
  !may_repeat && error instanceof Rejected && error.kind !== 'unavailable';

/**
 * Gives repeated requests the answer of the first. A key only maps to a command id; the command handler makes sure that
 * a command id is performed once, also after a crash. A request that is refused frees its key, so that the corrected
 * request can have it.
 */
export const createIdempotency = ({ pool, logger }: { pool: Pool; logger: Logger }) => {
  const lock = async (statement: string, values: readonly string[]): Promise<string | null> => {
    const { rows } = await pool.query<LockRow>(statement, [...values]);
    return rows[0]?.locked_until ?? null;
  };

  /** Locks the key. Throws `Rejected` `idempotency-key-reused` or `request-in-progress`. */
  const begin = async (id: readonly string[], hash: string) => {
    const command_id = newId(CommandId);
    const claimed = await lock(claimKey, [...id, command_id, hash]);
    if (claimed !== null) {
      return { locked_until: claimed, attempt: { command_id, may_repeat: false, request_hash: hash } };
    }
    const { rows } = await pool.query<KeyRow>(findKey, [...id]);
    const [row] = rows;
    // The key was freed between the two statements: the client may try again.
    if (!row) throw inProgress(0);
    if (row.request_hash !== hash) throw keyReused();
    const tookOver = await lock(takeOverKey, id);
    if (tookOver === null) throw inProgress(row.age_seconds);
    const attempt = { command_id: CommandId.parse(row.command_id), may_repeat: true, request_hash: hash };
    return { locked_until: tookOver, attempt };
  };

  /** Keeps the lock during a long upload, until `end` ends it with a statement. */
  const hold = (id: readonly string[], begun: string) => {
    let lockEnd: Promise<string> = Promise.resolve(begun);
    const extend = async (held: string): Promise<string> => {
      try {
        return (await lock(extendLock, [...id, held])) ?? held;
      } catch (error) {
        logger.warn({ err: error }, 'the lock of an idempotency key could not be extended');
        return held;
      }
    };
    const extension = setInterval(
      () => {
        lockEnd = lockEnd.then(extend);
      },
      (LOCK_SECONDS * 1000) / 3,
    );
    return {
      async end(statement: string): Promise<void> {
        clearInterval(extension);
        // If this fails, the lock expires by itself.
        await pool.query(statement, [...id, await lockEnd]).catch(() => undefined);
      },
    };
  };

  const cleanup = setInterval(() => {
    pool.query(forgetKeys).catch((error) => logger.warn({ err: error }, 'old idempotency keys could not be removed'));
  }, CLEANUP_MS).unref();

  return {
    /** Runs `perform` with the command id of the request's key, or a new one where it has none. */
    async run<T>(
      { caller, key, request_hash }: KeyedRequest,
      perform: (attempt: CommandAttempt) => Promise<T>,
    ): Promise<T> {
      if (key === undefined) return perform({ command_id: newId(CommandId), may_repeat: false });
      const id = [caller.tenant_id, caller.user_id, key];
      const { attempt, locked_until } = await begin(id, request_hash);
      const held = hold(id, locked_until);
      try {
        const answer = await perform(attempt);
        await held.end(releaseKey);
        return answer;
      } catch (error) {
        await held.end(changedNothing(error, attempt) ? freeKey : releaseKey);
        throw error;
      }
    },
    async close(): Promise<void> {
      clearInterval(cleanup);
    },
  } satisfies Closable & Record<string, unknown>;
};

export type Idempotency = ReturnType<typeof createIdempotency>;
