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

const claimKey = `
  insert into idempotency_keys (tenant_id, user_id, key, command_id, request_hash, locked_until)
  values ($1, $2, $3, $4, $5, now() + make_interval(secs => ${LOCK_SECONDS}))
  on conflict (tenant_id, user_id, key) do nothing`;
const findKey = `
  select command_id, request_hash, greatest(0, extract(epoch from locked_until - now()))::float8 as locked_seconds
  from idempotency_keys where tenant_id = $1 and user_id = $2 and key = $3`;
const takeOverKey = `
  update idempotency_keys set locked_until = now() + make_interval(secs => ${LOCK_SECONDS})
  where tenant_id = $1 and user_id = $2 and key = $3 and (locked_until is null or locked_until <= now())`;
const extendLock = `
  update idempotency_keys set locked_until = now() + make_interval(secs => ${LOCK_SECONDS})
  where tenant_id = $1 and user_id = $2 and key = $3`;
const releaseKey = 'update idempotency_keys set locked_until = null where tenant_id = $1 and user_id = $2 and key = $3';
const forgetKeys = `delete from idempotency_keys where created_at < now() - interval '${KEEP_DAYS} days'`;

interface KeyRow {
  command_id: string;
  request_hash: string;
  locked_seconds: number | null;
}

const inProgress = (seconds: number) =>
  new Rejected('conflict', 'request-in-progress', 'A request with this Idempotency-Key is still running.', {
    retryAfterSeconds: Math.max(1, Math.ceil(seconds)),
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
 * Gives repeated requests the answer of the first. A key only maps to a command id; the command handler makes sure that
 * a command id is performed once, also after a crash.
 */
export const createIdempotency = ({ pool, logger }: { pool: Pool; logger: Logger }) => {
  /** Locks the key. Throws `Rejected` `idempotency-key-reused` or `request-in-progress`. */
  const begin = async (id: readonly string[], hash: string): Promise<CommandAttempt> => {
    const commandId = newId(CommandId);
    const claimed = await pool.query(claimKey, [...id, commandId, hash]);
    if (claimed.rowCount === 1) return { command_id: commandId, may_repeat: false, request_hash: hash };
    const { rows } = await pool.query<KeyRow>(findKey, [...id]);
    const [row] = rows;
    // The key was deleted between the two statements, after seven days: the client may try again.
    if (!row) throw inProgress(1);
    if (row.request_hash !== hash) throw keyReused();
    const tookOver = await pool.query(takeOverKey, [...id]);
    if (tookOver.rowCount !== 1) throw inProgress(row.locked_seconds ?? 1);
    return { command_id: CommandId.parse(row.command_id), may_repeat: true, request_hash: hash };
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
      const attempt = await begin(id, request_hash);
      // Keeps the lock during a long upload.
      const extension = setInterval(
        () => {
          pool
            .query(extendLock, id)
            .catch((error) => logger.warn({ err: error }, 'the lock of an idempotency key could not be extended'));
        },
        (LOCK_SECONDS * 1000) / 3,
      );
      try {
        return await perform(attempt);
      } finally {
        clearInterval(extension);
        // If this fails, the lock expires by itself.
        await pool.query(releaseKey, id).catch(() => undefined);
      }
    },
    async close(): Promise<void> {
      clearInterval(cleanup);
    },
  } satisfies Closable & Record<string, unknown>;
};

export type Idempotency = ReturnType<typeof createIdempotency>;
