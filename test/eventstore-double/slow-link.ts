import { setTimeout as delay } from 'node:timers/promises';

/** A connection that carries so many bytes a second, one message after the other. */
export const createSlowLink = () => {
  let bytesPerSecond = Infinity;
  let freeAt = 0;
  let limited = new AbortController();

  return {
    limit(rate: number): void {
      bytesPerSecond = rate;
      freeAt = performance.now();
    },
    /** What waits goes at once. */
    unlimit(): void {
      bytesPerSecond = Infinity;
      limited.abort();
      limited = new AbortController();
    },
    /** Resolves when a message of this length is through; undefined where the link is not slow. */
    send(bytes: number): Promise<void> | undefined {
      if (bytesPerSecond === Infinity) return undefined;
      freeAt = Math.max(freeAt, performance.now()) + (bytes / bytesPerSecond) * 1000;
      return delay(Math.max(0, freeAt - performance.now()), undefined, { signal: limited.signal }).catch(
        () => undefined,
      );
    },
  };
};
