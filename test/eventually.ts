import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import pTimeout from 'p-timeout';
import { failureText } from '../src/failures/failure-text.ts';

/** The first pause is short, for what is there at once; looking all the time would slow down what is waited for. */
const SHORTEST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 100;

/** Not there yet; everything else is. */
type Missing = null | undefined | false;

/**
 * Looks again and again until there is something, and answers it. A look that throws has not found it yet, so that it may
 * be a claim: `eventually('all is written', async () => expect(await written()).to.equal(5))`. After `timeoutMs` it throws,
 * and says what the last look saw or failed of.
 */
export const eventually = async <T>(
  what: string,
  look: () => Promise<T | Missing> | T | Missing,
  { timeoutMs = 60_000, longestPauseMs = LONGEST_PAUSE_MS } = {},
): Promise<T> => {
  const end = performance.now() + timeoutMs;
  for (let pause = Math.min(SHORTEST_PAUSE_MS, longestPauseMs); ; pause = Math.min(1.3 * pause, longestPauseMs)) {
    let seen: string;
    let cause: unknown;
    try {
      const message = 'it did not end';
      const found = await pTimeout(Promise.resolve(look()), {
        milliseconds: Math.max(1, end - performance.now()),
        message,
      });
      if (found !== null && found !== undefined && found !== false) return found;
      seen = `the last look saw ${inspect(found)}`;
    } catch (error) {
      seen = `the last look failed: ${failureText(error)}`;
      cause = error;
    }
    if (performance.now() + pause >= end) {
      throw new Error(`waited ${timeoutMs / 1000} s in vain until ${what}; ${seen}`, { cause });
    }
    await delay(pause);
  }
};
