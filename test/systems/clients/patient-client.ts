import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkedFetch, UndeclaredAnswer } from '../../api/checked-fetch.ts';
import type { Reply } from '../../e2e/asking.ts';

/** One answer, or its absence, as somebody who calls from outside saw it. */
export interface Seen {
  at: number;
  url: string;
  method: string;
  path: string;
  /** null: there was no answer, the process was gone or mute. */
  status: number | null;
  retry_after: string | null;
  code: string | null;
}

interface Credentials {
  email: string;
  password: string;
}

/** Longer than BudApp tries by itself before it answers 503, also on a machine that has much else to do. */
const MUTE_AFTER_MS = 60_000;
const PAUSE_MS = 300;
const LOGIN = '/auth/login';
/** An answer for a request that is still under way under the same key. */
const STILL_RUNNING = 'request-in-progress';

const isWorthRepeating = (path: string, { status, body }: Reply): boolean =>
  status === 503 ||
  (status === 409 && body?.code === STILL_RUNNING) ||
  // Keycloak says so of right ones, too, while it still works on a login that BudApp has given up waiting for.
  (path === LOGIN && body?.code === 'invalid-credentials');

/**
 * Calls as a careful client does: over any of several addresses, and again with the same idempotency key until there is an
 * answer other than "not now". All that it saw stays in `seen`.
 */
export const createPatientClient = ({
  urls,
  give_up_ms = 180_000,
  send = checkedFetch,
}: {
  urls: readonly string[];
  give_up_ms?: number;
  /** Other than BudApp has no document to check its answers against. */
  send?: typeof checkedFetch;
}) => {
  const seen: Seen[] = [];
  let token: string | null = null;
  let credentials: Credentials | null = null;
  let turn = 0;

  const once = async (method: string, path: string, json: unknown, key: string): Promise<Reply | null> => {
    const bearer = path === LOGIN ? null : token;
    const url = urls[turn++ % urls.length] ?? '';
    const note = (reply: Reply | null): Reply | null => {
      const retry_after = reply?.headers.get('retry-after') ?? null;
      seen.push({
        at: Date.now(),
        url,
        method,
        path,
        status: reply?.status ?? null,
        retry_after,
        code: reply?.body?.code,
      });
      return reply;
    };
    try {
      const response = await send(new URL(path, url), {
        method,
        headers: {
          ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
          ...(json === undefined ? {} : { 'content-type': 'application/json' }),
          ...(method === 'GET' ? {} : { 'idempotency-key': key }),
        },
        body: json === undefined ? null : JSON.stringify(json),
        signal: AbortSignal.timeout(MUTE_AFTER_MS),
      });
      const text = await response.text();
      return note({ status: response.status, headers: response.headers, body: text === '' ? null : JSON.parse(text) });
    } catch (error) {
      if (error instanceof UndeclaredAnswer) throw error;
      return note(null);
    }
  };

  const logIn = async (): Promise<void> => {
    const { status, body } = await request('POST', LOGIN, credentials);
    if (status !== 200) throw new Error(`login answered ${status}: ${JSON.stringify(body)}`);
    token = body.access_token;
  };

  let loggingIn: Promise<void> | null = null;
  /** All that share the token see it expire at once, and Keycloak refuses somebody who logs in twice at the same moment. */
  const logInOnce = (): Promise<void> => {
    loggingIn ??= logIn().finally(() => {
      loggingIn = null;
    });
    return loggingIn;
  };

  const request = async (method: string, path: string, json?: unknown): Promise<Reply> => {
    const key = randomUUID();
    const end = Date.now() + give_up_ms;
    for (;;) {
      const reply = await once(method, path, json, key);
      if (reply?.body?.code === 'expired-token') await logInOnce();
      else if (reply && !isWorthRepeating(path, reply)) return reply;
      if (Date.now() > end) throw new Error(`${method} ${path}: no answer but ${reply?.status} for ${give_up_ms} ms`);
      await sleep(PAUSE_MS);
    }
  };

  return {
    seen,
    request,
    get token() {
      return token ?? '';
    },
    async login(as: Credentials): Promise<void> {
      credentials = as;
      await logInOnce();
    },
  };
};

export type PatientClient = ReturnType<typeof createPatientClient>;
