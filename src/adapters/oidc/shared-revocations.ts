import { LRUCache } from 'lru-cache';
import pTimeout from 'p-timeout';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Closable } from '../../ports/closable.ts';
import type { SharedState } from '../../ports/shared-state.ts';
import { createOutage } from '../../resilience/outage.ts';
import {
  keysOf,
  meets,
  type Revocation,
  revocationOfEnded,
  revocationsOf,
  type TokenIdentity,
} from './revocation-entries.ts';
import { type DurableRevocations, KEEP_SECONDS, type Revocations } from './revocations.ts';

const ASK_AGAIN_MS = 10_000;
const RECONCILE_MS = 60_000;
const ANSWER_WITHIN_MS = 1_000;
/** A store that does not answer is left alone for this long: every new token would wait for it. */
const LEAVE_ALONE_MS = 5_000;
const REMEMBERED_TOKENS = 10_000;
const PREFIX = 'bud-logout:';
/** Gone when the store has lost its data; BudApp then puts back what Postgres knows. */
const MARKER = `${PREFIX}complete`;
const MARKER_TTL_SECONDS = 24 * 60 * 60;

/** What stands in the store under `bud-logout:<key>`. */
const Shared = z.object({ expires_at: z.number(), issued_until: z.number().nullable() });

export interface SharedRevocationsOptions {
  /** Its owner closes it. */
  revocations: DurableRevocations;
  state: SharedState;
  log: Logger;
  ask_again_ms?: number;
  reconcile_ms?: number;
  answer_within_ms?: number;
  leave_alone_ms?: number;
  /** Milliseconds since 1970. */
  now?: () => number;
}

export interface SharedRevocations extends Revocations {
  /** Throws where the store cannot be used now. */
  check(): Promise<void>;
}

/** Somebody revoked it, whatever else the value says. */
const parseShared = (key: string, text: string, token: TokenIdentity): Revocation => {
  try {
    return { key, ...Shared.parse(JSON.parse(text)) };
  } catch {
    return { key, expires_at: token.expires_at, issued_until: token.issued_at };
  }
};

/**
 * The revocations, shared with the other services of the platform through a state store: whatever is revoked is put there
 * until it expires, and what others put there counts here, at the first sight of a token and every ten seconds. Postgres
 * stays what holds: where the store cannot be reached its word stands, and what the store lost is put back from it.
 */
export const createSharedRevocations = (options: SharedRevocationsOptions): SharedRevocations => {
  const { revocations, state, log, now = Date.now } = options;
  const { ask_again_ms = ASK_AGAIN_MS, reconcile_ms = RECONCILE_MS, leave_alone_ms = LEAVE_ALONE_MS } = options;
  const { answer_within_ms = ANSWER_WITHIN_MS } = options;
  const asked = new LRUCache<string, { until: number; answer: Promise<boolean> }>({ max: REMEMBERED_TOKENS });
  const outage = createOutage({
    logger: log,
    failing: (err) => ({
      message:
        'the state store for logged-out tokens cannot be used: logouts are not shared with other services until it can; look at DAPR_HTTP_PORT and DAPR_STATE_STORE_NAME',
      fields: { err },
    }),
    working: 'the state store for logged-out tokens can be used again',
  });
  let leaveAloneUntil = 0;
  // What an earlier process could not put must be put by this one.
  let complete = false;
  let missed = 0;
  let closed = false;

  const failed = (error: unknown): void => {
    leaveAloneUntil = now() + leave_alone_ms;
    outage.failed(error);
  };

  const use = async <T>(work: () => Promise<T>): Promise<T> => {
    const result = await pTimeout(work(), {
      milliseconds: answer_within_ms,
      message: `the state store did not answer within ${answer_within_ms} ms`,
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
      // Postgres has it; the reconciliation puts it as soon as the store is back.
      complete = false;
      missed += 1;
      failed(error);
    }
  };

  const reconcile = async (): Promise<void> => {
    const before = missed;
    try {
      if (complete && (await use(() => state.get(MARKER))) !== null) return;
      if (complete) log.warn('the state store has lost its data: logged-out tokens are put back; look at its Redis');
      for (const entry of [...revocations.live()]) {
        // The next process puts what is left: it takes nothing for complete.
        if (closed) return;
        await put(entry);
      }
      await use(() => state.put(MARKER, new Date(now()).toISOString(), { ttl_seconds: MARKER_TTL_SECONDS }));
      // What could not be put meanwhile came too late to be among the live ones above.
      complete = missed === before;
    } catch (error) {
      failed(error);
    }
  };

  const findShared = async (token: TokenIdentity): Promise<Revocation[]> => {
    if (now() < leaveAloneUntil) return [];
    try {
      const found = await use(() =>
        Promise.all(keysOf(token).map(async (key) => [key, await state.get(`${PREFIX}${key}`)] as const)),
      );
      return found
        .flatMap(([key, text]) => (text === null ? [] : [parseShared(key, text, token)]))
        .filter((entry) => meets(entry, token));
    } catch (error) {
      failed(error);
      return [];
    }
  };

  const askStore = async (token: TokenIdentity): Promise<boolean> => {
    const found = await findShared(token);
    if (found.length === 0) return false;
    // From here on it holds, even where the store loses it.
    await revocations.record(found).catch((error: unknown) => {
      log.warn({ err: error }, 'a logout of another service could not be kept: it counts while the state store has it');
    });
    return true;
  };

  const ask = (token: TokenIdentity): Promise<boolean> => {
    const key = `${token.issuer}#${token.token_id}`;
    const last = asked.get(key);
    if (last !== undefined && last.until > now()) return last.answer;
    const answer = askStore(token);
    asked.set(key, { until: now() + ask_again_ms, answer });
    return answer;
  };

  const loop = startLoop(reconcile, () => (complete ? reconcile_ms : Math.min(reconcile_ms, leave_alone_ms)));

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

/** Runs it now and again and again, never twice at once, until closed. */
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
