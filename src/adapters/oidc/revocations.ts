import type { Pool } from 'pg';
import type { Logger } from 'pino';
import type { Closable } from '../../ports/closable.ts';
import { createOutage } from '../../resilience/outage.ts';
import {
  appliesTo,
  type EndedSession,
  keysOf,
  mergedRevocation,
  messageKey,
  type Revocation,
  revocationOfEnded,
  revocationsOf,
  type TokenIdentity,
} from './revocation-entries.ts';

export interface Revocations extends Closable {
  /**
   * Revokes the token and all others that its session got until `now` (by the provider's clock, in seconds since 1970):
   * a refreshed session leaves tokens that have not expired. In force here once this resolves, and in other processes
   * about a second later.
   */
  revoke(token: TokenIdentity, now?: number): Promise<void>;
  /**
   * Revokes the tokens of a session (or subject). Returns false where the message was received before, since it is
   * accepted only once.
   */
  end(session: EndedSession): Promise<boolean>;
  /** Called on every request. */
  isRevoked(token: TokenIdentity): boolean | Promise<boolean>;
}

/** The revocations in Postgres, which are authoritative. */
export interface DurableRevocations extends Revocations {
  /** Answers from memory. */
  isRevoked(token: TokenIdentity): boolean;
  /** Stores revocations from elsewhere. */
  record(revocations: readonly Revocation[]): Promise<void>;
  /** All revocations that have not expired. */
  live(): Iterable<Revocation>;
}

const POLL_MS = 1000;
/** Entries become visible at their commit, which is later than the time that they carry. */
const OVERLAP_SECONDS = 30;
const SWEEP_EVERY_MS = 60_000;
/** Seconds for which a token is still accepted after its expiry, since clocks differ. */
export const KEEP_SECONDS = 60;

// One statement for both: if only the message were stored, its repeat would be refused without the revocation being in
// force.
const insert = `
  with message as (
    insert into revoked_tokens (token_id, expires_at)
    select $4::text, to_timestamp($5::float8) where $4::text is not null
    on conflict (token_id) do nothing
    returning token_id
  )
  insert into revoked_tokens (token_id, expires_at, issued_until)
  select $1, to_timestamp($2::float8), to_timestamp($3::float8)
  where $4::text is null or exists (select from message)
  on conflict (token_id) do update set
    expires_at = greatest(revoked_tokens.expires_at, excluded.expires_at),
    issued_until = greatest(revoked_tokens.issued_until, excluded.issued_until),
    revoked_at = excluded.revoked_at`;

const selectSince = `
  select token_id as key, extract(epoch from expires_at)::float8 as expires_at,
    extract(epoch from issued_until)::float8 as issued_until, extract(epoch from revoked_at)::float8 as revoked_at
  from revoked_tokens
  where revoked_at >= to_timestamp($1) and expires_at > now() - make_interval(secs => $2)`;

const deleteExpired = 'delete from revoked_tokens where expires_at < now() - make_interval(secs => $1)';

interface Row extends Revocation {
  revoked_at: number;
}

const isMessage = ({ key }: Revocation): boolean => key.includes('#logout:');

/**
 * The revocations of `revoked_tokens`, cached in memory and refreshed by polling. Resolves once all are loaded. While
 * Postgres cannot be reached, the cached ones stay in force.
 */
export const createRevocations = async (options: {
  pool: Pool;
  log: Logger;
  poll_ms?: number;
  /** The current time in milliseconds since 1970. */
  now?: () => number;
}): Promise<DurableRevocations> => {
  const { pool, log, poll_ms = POLL_MS, now = Date.now } = options;
  const revoked = new Map<string, Revocation>();
  let newest = 0;
  let sweptAt = now();
  let timer: NodeJS.Timeout | undefined;
  let polling: Promise<void> = Promise.resolve();
  let closed = false;
  const outage = createOutage({
    logger: log,
    failing: (err) => ({
      message: 'revoked tokens cannot be read: sign-outs elsewhere are not noticed',
      fields: { err },
    }),
    working: 'revoked tokens can be read again',
  });

  const remember = ({ key, expires_at, issued_until }: Revocation): void => {
    const entry = { key, expires_at, issued_until };
    const before = revoked.get(key);
    revoked.set(key, before === undefined ? entry : mergedRevocation(before, entry));
  };

  const load = async (): Promise<void> => {
    const { rows } = await pool.query<Row>(selectSince, [Math.max(0, newest - OVERLAP_SECONDS), KEEP_SECONDS]);
    for (const row of rows) {
      if (!isMessage(row)) remember(row);
      newest = Math.max(newest, row.revoked_at);
    }
  };

  const sweep = async (): Promise<void> => {
    if (now() - sweptAt < SWEEP_EVERY_MS) return;
    sweptAt = now();
    const limit = sweptAt / 1000 - KEEP_SECONDS;
    for (const [key, entry] of revoked) if (entry.expires_at < limit) revoked.delete(key);
    await pool.query(deleteExpired, [KEEP_SECONDS]);
  };

  const poll = async (): Promise<void> => {
    try {
      await load();
      await sweep();
      outage.ok();
    } catch (error) {
      if (!closed) outage.failed(error);
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

  const record = async (revocations: readonly Revocation[]): Promise<void> => {
    for (const entry of revocations) {
      await pool.query(insert, [entry.key, entry.expires_at, entry.issued_until, null, null]);
      remember(entry);
    }
  };

  await load();
  schedule();

  return {
    record,
    revoke: (token, time = now() / 1000) => record(revocationsOf(token, time)),
    async end(session) {
      const entry = revocationOfEnded(session);
      const message = [messageKey(session), session.message_expires_at];
      const { rowCount } = await pool.query(insert, [entry.key, entry.expires_at, entry.issued_until, ...message]);
      if (rowCount === 0) return false;
      remember(entry);
      return true;
    },
    isRevoked: (token) =>
      keysOf(token).some((key) => {
        const entry = revoked.get(key);
        return entry !== undefined && appliesTo(entry, token);
      }),
    live: () => revoked.values(),
    async close() {
      closed = true;
      clearTimeout(timer);
      await polling;
    },
  };
};
