import { setTimeout as delay } from 'node:timers/promises';
import type { ClientBase, Pool } from 'pg';
import { waitForRetry } from '../resilience/backoff.ts';

/** Pauses after a failed lease or failed work. */
const BACKOFF = { first_ms: 100, longest_ms: 5000 };

/**
 * The right to work in the name of something, for a limited time. It lies in a row and not in a session, so that proxies
 * and fail-overs do not lose it; `token` grows with each new owner and fences off the one before.
 *
 *     free or expired -> held(token) -> renewed ... -> released
 *                                   \-> expired -> held(token + 1) by another owner: writes with the old token are refused
 */
export interface Lease {
  name: string;
  owner: string;
  token: string;
}

/** The lease has another owner: nothing may be written under it any more. */
export class LeaseLost extends Error {
  readonly lease: string;

  constructor(lease: string) {
    super(`the lease ${lease} has passed to another owner`);
    this.name = 'LeaseLost';
    this.lease = lease;
  }
}

export interface LeaseRequest {
  name: string;
  /** Unique per run of a process. */
  owner: string;
  /** Milliseconds until the lease expires unless renewed. */
  ttl_ms: number;
}

/** Acquires the lease; null where another owner holds it. */
export const acquireLease = async (pool: Pool, { name, owner, ttl_ms }: LeaseRequest): Promise<Lease | null> => {
  const { rows } = await pool.query<{ token: string }>(
    `insert into leases (name, owner, token, expires_at)
     values ($1, $2, 1, clock_timestamp() + $3 * interval '1 ms')
     on conflict (name) do update
       set owner = excluded.owner, token = leases.token + 1, expires_at = excluded.expires_at
       where leases.expires_at <= clock_timestamp()
     returning token::text`,
    [name, owner, ttl_ms],
  );
  const token = rows[0]?.token;
  return token === undefined ? null : { name, owner, token };
};

/**
 * Extends the lease by `ttl_ms`; false where another owner has taken it over. An expired lease that was not taken over
 * can still be renewed.
 */
export const renewLease = async (pool: Pool, { name, token }: Lease, ttl_ms: number): Promise<boolean> => {
  const { rowCount } = await pool.query(
    `update leases set expires_at = clock_timestamp() + $3 * interval '1 ms' where name = $1 and token = $2`,
    [name, token, ttl_ms],
  );
  return rowCount === 1;
};

/** Releases the lease, so that others can acquire it at once. */
export const releaseLease = async (pool: Pool, { name, token }: Lease): Promise<void> => {
  await pool.query(`update leases set expires_at = '-infinity' where name = $1 and token = $2`, [name, token]);
};

/** Releases all leases that a crash left. Only for a start that is the only process on this database. */
export const releaseAllLeases = async (pool: Pool): Promise<void> => {
  await pool.query(`update leases set expires_at = '-infinity'`);
};

/**
 * To be called inside the writing transaction. Throws `LeaseLost` where the token is not the newest, and locks it until
 * the transaction ends, since a take-over has to wait for this lock.
 */
export const assertLease = async (client: ClientBase, { name, token }: Lease): Promise<void> => {
  const { rowCount } = await client.query('select 1 from leases where name = $1 and token = $2 for share', [
    name,
    token,
  ]);
  if (rowCount !== 1) throw new LeaseLost(name);
};

export interface UnderLeaseOptions extends LeaseRequest {
  pool: Pool;
  /** Aborts `work`, awaits its end and releases the lease. */
  signal: AbortSignal;
  /** The work under the lease; `signal` aborts once it is lost. */
  work(lease: Lease, signal: AbortSignal): Promise<void>;
}

export interface HoldLeaseOptions extends UnderLeaseOptions {
  /** Called when the lease or the work failed; both are retried after a pause. */
  onError(error: unknown): void;
}

const pause = async (ms: number, signal: AbortSignal): Promise<void> => {
  // Jitter: those who wait for the same lease must not all ask at the same moment.
  await delay(ms * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
};

const keepRenewing = async (
  { pool, ttl_ms }: UnderLeaseOptions,
  lease: Lease,
  held: AbortController,
): Promise<void> => {
  let validUntil = performance.now() + ttl_ms;
  while (!held.signal.aborted) {
    await pause(ttl_ms / 3, held.signal);
    if (held.signal.aborted) return;
    const askedAt = performance.now();
    const renewed = await renewLease(pool, lease, ttl_ms).catch(() => null);
    if (renewed) validUntil = askedAt + ttl_ms;
    // Without a connection the lease is valid until it expires; the token decides in any case.
    else if (renewed === false || performance.now() > validUntil) held.abort(new LeaseLost(lease.name));
  }
};

/** Runs `work` once if the lease is free. Returns whether it did. */
export const underLease = async (options: UnderLeaseOptions): Promise<boolean> => {
  const lease = await acquireLease(options.pool, options);
  if (!lease) return false;
  const held = new AbortController();
  const renewing = keepRenewing(options, lease, held);
  try {
    await options.work(lease, AbortSignal.any([held.signal, options.signal]));
  } finally {
    held.abort();
    await renewing;
    // If the release fails, the lease expires by itself.
    await releaseLease(options.pool, lease).catch(() => undefined);
  }
  return true;
};

/**
 * Waits for the lease and runs `work` while it is held, repeatedly, until `signal` aborts. Resolves once all has ended.
 */
export const holdLease = async (options: HoldLeaseOptions): Promise<void> => {
  const { signal, ttl_ms } = options;
  let failures = 0;
  while (!signal.aborted) {
    try {
      await underLease(options);
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      failures += 1;
      options.onError(error);
    }
    if (failures > 0) await waitForRetry(failures, BACKOFF, signal);
    else await pause(Math.min(1000, ttl_ms / 4), signal);
  }
};
