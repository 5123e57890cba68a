import { setTimeout as delay } from 'node:timers/promises';
import { Rejected, unknownPosition } from '../../errors.ts';
import { ofOneForm, type Position } from '../../events/event.ts';

/** Position by read model; null where it has no events yet. */
export type Positions = ReadonlyMap<string, Position | null>;

/** Milliseconds between polls: short at first, since a read model is mostly only some milliseconds behind. */
const FIRST_PAUSE = 2;
const LONGEST_PAUSE = 50;

const behind = (names: readonly string[]): Rejected =>
  new Rejected(
    'unavailable',
    'read-model-behind',
    `The read models ${names.join(', ')} have not reached the requested position yet.`,
    {
      hint: 'Try again in a moment, or send the request without a minimum position.',
      retryAfterSeconds: 1,
    },
  );

/**
 * A read model goes on and not back, so what was seen is known for a while. Not for long: a crash of the server takes it
 * back by some milliseconds, and the server is away for longer.
 */
const KNOWN_MS = 200;

const lateOf = (positions: Positions, names: readonly string[], position: Position): string[] => {
  for (const at of positions.values()) if (at !== null && !ofOneForm(at, position)) throw unknownPosition(position);
  return names.filter((name) => (positions.get(name) ?? '') < position);
};

/** Waits until read models have reached a position. Concurrent waiters share one query. */
export const createFreshness = ({ readPositions }: { readPositions(): Promise<Positions> }) => {
  let asking: Promise<Positions> | undefined;
  let known: { positions: Positions; until: number } | undefined;

  const look = (): Promise<Positions> => {
    asking ??= readPositions()
      .then((positions) => {
        known = { positions, until: performance.now() + KNOWN_MS };
        return positions;
      })
      .finally(() => {
        asking = undefined;
      });
    return asking;
  };

  /**
   * Throws `Rejected` `unavailable`, code `read-model-behind`, where a read model has not reached `position` in time,
   * and `invalid`, code `unknown-position`, for a position of another log.
   */
  const waitFor = async (
    names: readonly string[],
    position: Position,
    { timeout_ms }: { timeout_ms: number },
  ): Promise<void> => {
    const now = performance.now();
    if (known && known.until > now && lateOf(known.positions, names, position).length === 0) return;
    const deadline = now + timeout_ms;
    for (let pause = FIRST_PAUSE; ; pause = Math.min(LONGEST_PAUSE, pause * 1.5)) {
      const late = lateOf(await look(), names, position);
      if (late.length === 0) return;
      const left = deadline - performance.now();
      if (left <= 0) throw behind(late);
      await delay(Math.min(pause, left));
    }
  };

  return { waitFor };
};
