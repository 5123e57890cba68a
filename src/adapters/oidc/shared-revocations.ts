import { LRUCache } from 'lru-cache';
import pTimeout from 'p-timeout';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Closable } from '../../ports/closable.ts';
import type { SharedState } from '../../ports/shared-state.ts';
import { createOutage } from '../../resilience/outage.ts';
import {
  appliesTo,
  keysOf,
  type Revocation,
  revocationOfEnded,
  revocationsOf,
  type TokenIdentity,
} from './revocation-entries.ts';
import { type DurableRevocations, KEEP_SECONDS, type Revocations } from './revocations.ts';

const RECHECK_MS = 10_000;
const RECONCILE_MS = 60_000;
const TIMEOUT_MS = 1_000;
/** How long a failed store is not asked again: otherwise every new token would wait for it. */
const SUSPEND_MS = 5_000;
const CACHED_TOKENS = 10_000;
const PREFIX = 'bud-logout:';
/** Missing when the store has lost its data; BudApp then restores the revocations from Postgres. */
const MARKER = `${PREFIX}complete`;
const MARKER_TTL_SECONDS = 24 * 60 * 60;

/** The value in the store under `bud-logout:<key>`. */
const Shared = z.object({ expires_at: z.number(), issued_until: z.number().nullable() });

export interface SharedRevocationsOptions {
  /** Closed by its owner. */
  revocations: DurableRevocations;
  state: SharedState;
  log: Logger;
  recheck_ms?: number;
  reconcile_ms?: number;
  timeout_ms?: number;
  suspend_ms?: number;
  /** The current time in milliseconds since 1970. */
  now?: () => number;
}

export interface SharedRevocations extends Revocations {
  /** Throws where the store cannot be used. */
  check(): Promise<void>;
}

/** A value that cannot be parsed still means that the token was revoked. */
const parseShared = (key: string, text: string, token: TokenIdentity): Revocation => {
  try {
    return { key, ...Shared.parse(JSON.parse(text)) };
  } catch {
    return { key, expires_at: token.expires_at, issued_until: token.issued_at };
  }
};

/**
 * The revocations, shared with the other services of the platform through a state store. A revocation is put there
 * until it expires; those of other services are read when a token is first seen, and then every ten seconds. Postgres
 * stays authoritative: while the store is unavailable only its revocations count, and what the store has lost is
 * restored from it.
 */
export const createSharedRevocations = (options: SharedRevocationsOptions): SharedRevocations => {
  const { revocations, state, log, now = Date.now } = options;
  const { recheck_ms = RECHECK_MS, reconcile_ms = RECONCILE_MS, suspend_ms = SUSPEND_MS } = options;
  const { timeout_ms = TIMEOUT_MS } = options;
  const answers = new LRUCache<string, { until: number; answer: Promise<boolean> }>({ max: CACHED_TOKENS });
  const outage = createOutage({
    logger: log,
    failing: (err) => ({
      message:
        'the state store for logged-out tokens cannot be used: logouts are not shared with other services until it can; look at DAPR_HTTP_PORT and DAPR_STATE_STORE_NAME',
      fields: { err },
    }),
    working: 'the state store for logged-out tokens can be used again',
  });
  let suspendedUntil = 0;
  // False at the start, so that this process puts what an earlier one could not.
  let complete = false;
  let failedPuts = 0;
  let closed = false;

  const failed = (error: unknown): void => {
    suspendedUntil = now() + suspend_ms;
    outage.failed(error);
  };

  const use = async <T>(work: () => Promise<T>): Promise<T> => {
    const result = await pTimeout(work(), {
      milliseconds: timeout_ms,
      message: `the state store did not answer within ${timeout_ms} ms`,
    });
    outage.ok();
    return result;
  };

  const put = async ({ key, expires_at, issued_until }: Revocation): Promise<void> => {
    const ttl_seconds = Math.ceil(expires_at + KEEP_SECONDS - now() / 1000);
    if (ttl_seconds <= 0) return;
    await use(() => state.put(`${PREFIX}${key}`, JSON.stringify({ expires_at, issued_until }), { ttl_seconds }));
  };

  const share = async (entries: Iterable<Revocation>): Promise<void> => {
    try {
      for (const entry of entries) await put(entry);
    } catch (error) {
      // Postgres has the revocation; the reconciliation puts it once the store is available.
      complete = false;
      failedPuts += 1;
      failed(error);
    }
  };

  const reconcile = async (): Promise<void> => {
    const before = failedPuts;
    try {
      if (complete && (await use(() => state.get(MARKER))) !== null) return;
      if (complete) log.warn('the state store has lost its data: logged-out tokens are put back; look at its Redis');
      for (const entry of [...revocations.live()]) {
        // The next process puts the rest, since it starts as incomplete.
        if (closed) return;
        await put(entry);
      }
      await use(() => state.put(MARKER, new Date(now()).toISOString(), { ttl_seconds: MARKER_TTL_SECONDS }));
      // A put that failed in the meantime may not be among the live ones above.
      complete = failedPuts === before;
    } catch (error) {
      failed(error);
    }
  };

  const findShared = async (token: TokenIdentity): Promise<Revocation[]> => {
    if (now() < suspendedUntil) return [];
    try {
      const found = await use(() =>
        Promise.all(keysOf(token).map(async (key) => [key, await state.get(`${PREFIX}${key}`)] as const)),
      );
      return found
        .flatMap(([key, text]) => (text === null ? [] : [parseShared(key, text, token)]))
        .filter((entry) => appliesTo(entry, token));
    } catch (error) {
      failed(error);
      return [];
    }
  };

  const askStore = async (token: TokenIdentity): Promise<boolean> => {
    const found = await findShared(token);
    if (found.length === 0) return false;
    // Stored in Postgres, so that it stays in force where the store loses it.
    await revocations.record(found).catch((error: unknown) => {
      log.warn({ err: error }, 'a logout of another service could not be kept: it counts while the state store has it');
    });
    return true;
  };

  const ask = (token: TokenIdentity): Promise<boolean> => {
    const key = `${token.issuer}#${token.token_id}`;
    const last = answers.get(key);
    if (last !== undefined && last.until > now()) return last.answer;
    const answer = askStore(token);
    answers.set(key, { until: now() + recheck_ms, answer });
    return answer;
  };

  const loop = startLoop(reconcile, () => (complete ? reconcile_ms : Math.min(reconcile_ms, suspend_ms)));

  return {
    async revoke(token, time = now() / 1000) {
      await revocations.revoke(token, time);
      await share(revocationsOf(token, time));
    },
    async end(session) {
      const isNew = await revocations.end(session);
      if (isNew) await share([revocationOfEnded(session)]);
      return isNew;
    },
    isRevoked: (token) => revocations.isRevoked(token) || ask(token),
    check: async () => {
      await use(() => state.get(MARKER));
    },
    close: () => {
      closed = true;
      return loop.close();
    },
  };
};

/** Runs `work` now and then repeatedly with a pause, one run at a time, until closed. */
const startLoop = (work: () => Promise<void>, pauseMs: () => number): Closable => {
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  const run = async (): Promise<void> => {
    await work();
    if (closed) return;
    timer = setTimeout(() => {
      running = run();
    }, pauseMs()).unref();
  };
  let running = run();
  return {
    async close() {
      closed = true;
      clearTimeout(timer);
      await running;
    },
  };
};
