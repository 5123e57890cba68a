import type { AttemptLimit } from './attempt-limit.ts';
import { type LocalUser, normalizedEmail, type UserStore } from './user-store.ts';

type LoginOutcome =
  | { kind: 'accepted'; user: LocalUser }
  | { kind: 'refused' }
  | { kind: 'throttled'; wait_seconds: number };

/** Checks a password, for the token endpoint and for the login page alike. */
export type PasswordLogin = (email: string, password: string) => Promise<LoginOutcome>;

/** Parallel checks of one account: more than people and their tools need, few enough that a burst guesses little. */
const MOST_IN_FLIGHT = 32;

export const createPasswordLogin = ({
  users,
  attempts,
}: {
  users: UserStore;
  attempts: AttemptLimit;
}): PasswordLogin => {
  const inFlight = new Map<string, number>();

  const count = (account: string, change: 1 | -1): void => {
    const next = (inFlight.get(account) ?? 0) + change;
    if (next === 0) inFlight.delete(account);
    else inFlight.set(account, next);
  };

  const check = async (email: string, password: string): Promise<LoginOutcome> => {
    const user = await users.authenticate(email, password);
    if (user === null) {
      attempts.failed(email);
      return { kind: 'refused' };
    }
    attempts.succeeded(email);
    return { kind: 'accepted', user };
  };

  return async (email, password) => {
    const account = normalizedEmail(email);
    const wait = attempts.waitMs(account);
    if (wait > 0) return { kind: 'throttled', wait_seconds: Math.ceil(wait / 1000) };
    if ((inFlight.get(account) ?? 0) >= MOST_IN_FLIGHT) return { kind: 'throttled', wait_seconds: 1 };
    count(account, 1);
    try {
      return await check(account, password);
    } finally {
      count(account, -1);
    }
  };
};
