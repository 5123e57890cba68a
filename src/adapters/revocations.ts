import type { Pool } from 'pg';
import type { Logger } from 'pino';
import type { Closable } from '../ports.ts';

/** What tells an access token from all others. Times are seconds since 1970. */
export interface TokenIdentity {
  token_id: string;
  /** The session that it belongs to; null where the provider does not say. */
  session_id: string | null;
  issued_at: number;
  expires_at: number;
}

export interface Revocations extends Closable {
  /**
   * Revokes the token and all others that its session was given until now (a refreshed session leaves tokens behind
   * that have not expired). Refused here from the moment this resolves, in other processes about a second later.
   */
  revoke(token: TokenIdentity): Promise<void>;
  /** From memory, on every request. */
  isRevoked(token: TokenIdentity): boolean;
}

const POLL_MS = 1000;
/** Entries become visible when their transaction commits, a little after the time that they carry. */
const OVERLAP_SECONDS = 30;
const SWEEP_EVERY_MS = 60_000;
/** As long as a token is still accepted after its expiry because clocks differ. */
const KEEP_SECONDS = 60;

const insert = `
  insert into revoked_tokens (token_id, expires_at, issued_until) values ($1, to_timestamp($2), to_timestamp($3))
  on conflict (token_id) do update set
    expires_at = greatest(revoked_tokens.expires_at, excluded.expires_at),
    issued_until = greatest(revoked_tokens.issued_until, excluded.issued_until),
    revoked_at = excluded.revoked_at`;

const selectSince = `
  select token_id, extract(epoch from expires_at)::float8 as expires_at,
    extract(epoch from issued_until)::float8 as issued_until, extract(epoch from revoked_at)::float8 as revoked_at
  from revoked_tokens
  where revoked_at >= to_timestamp($1) and expires_at > now() - make_interval(secs => $2)`;

const deleteExpired = 'delete from revoked_tokens where expires_at < now() - make_interval(secs => $1)';

/** One token, or the tokens of a session that were issued until a time. */
interface Entry {
  token_id: string;
  expires_at: number;
  issued_until: number | null;
}

interface Row extends Entry {
  revoked_at: number;
}

const sessionKey = (sessionId: string): string => `session:${sessionId}`;

/** `now` in seconds since 1970. */
const entriesOf = ({ token_id, session_id, issued_at, expires_at }: TokenIdentity, now: number): Entry[] => {
  const token = { token_id, expires_at, issued_until: null };
  if (session_id === null) return [token];
  // The session's newest token was issued at the latest now, and lives as long as this one.
  const newestExpiry = now + (expires_at - issued_at);
  return [token, { token_id: sessionKey(session_id), expires_at: newestExpiry, issued_until: now }];
};

/**
 * The revoked tokens of `revoked_tokens`, kept in memory and refreshed by polling. Resolves once all are loaded. While
 * Postgres cannot be reached, what was known stays refused.
 */
export const createRevocations = async (options: {
  pool: Pool;
  log: Logger;
  poll_ms?: number;
  /** Milliseconds since 1970. */
  now?: () => number;
}): Promise<Revocations> => {
  const { pool, log, poll_ms = POLL_MS, now = Date.now } = options;
  const revoked = new Map<string, Entry>();
  let newest = 0;
  let failing = false;
  let sweptAt = now();
  let timer: NodeJS.Timeout | undefined;
  let polling: Promise<void> = Promise.resolve();
  let closed = false;

  const load = async (): Promise<void> => {
    const { rows } = await pool.query<Row>(selectSince, [Math.max(0, newest - OVERLAP_SECONDS), KEEP_SECONDS]);
    for (const row of rows) {
      revoked.set(row.token_id, row);
      newest = Math.max(newest, row.revoked_at);
    }
  };

  const sweep = async (): Promise<void> => {
    if (now() - sweptAt < SWEEP_EVERY_MS) return;
    sweptAt = now();
    const limit = sweptAt / 1000 - KEEP_SECONDS;
    for (const [tokenId, entry] of revoked) if (entry.expires_at < limit) revoked.delete(tokenId);
    await pool.query(deleteExpired, [KEEP_SECONDS]);
  };

  const poll = async (): Promise<void> => {
    try {
      await load();
      await sweep();
      failing = false;
    } catch (error) {
      // Said once: a poll a second would bury everything else.
      if (!failing && !closed)
        log.warn({ err: error }, 'revoked tokens cannot be read: sign-outs elsewhere are not noticed');
      failing = true;
    }
    schedule();
  };

  const schedule = (): void => {
    if (closed) return;
    timer = setTimeout(() => {
      polling = poll();
    }, poll_ms);
    timer.unref();
  };

  await load();
  schedule();

  return {
    async revoke(token) {
      for (const entry of entriesOf(token, now() / 1000)) {
        await pool.query(insert, [entry.token_id, entry.expires_at, entry.issued_until]);
        revoked.set(entry.token_id, entry);
      }
    },
    isRevoked({ token_id, session_id, issued_at }) {
      if (revoked.has(token_id)) return true;
      if (session_id === null) return false;
      const until = revoked.get(sessionKey(session_id))?.issued_until;
      return until != null && issued_at <= until;
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      await polling;
    },
  };
};
