import { setTimeout as delay } from 'node:timers/promises';
import { Rejected, unknownPosition } from '../../errors.ts';
import { ofOneForm, type Position } from '../../events/event.ts';

/** Position by name of the read model; null: nothing yet. */
export type Positions = ReadonlyMap<string, Position | null>;

/** Milliseconds between two looks: short at first, since a read model is mostly only some milliseconds behind. */
const FIRST_PAUSE = 2;
const LONGEST_PAUSE = 50;

const behind = (names: readonly string[]): Rejected =>
  new Rejected('unavailable', 'read-model-behind', `What is asked for is not yet in ${names.join(', ')}.`, {
    hint: 'Try again in a moment, or ask without a minimum position.',
    retryAfterSeconds: 1,
  });

/** However many wait, one of them asks at a time and all see the answer. */
export const createFreshness = ({ readPositions }: { readPositions(): Promise<Positions> }) => {
  let asking: Promise<Positions> | undefined;

  const look = (): Promise<Positions> => {
    asking ??= readPositions().finally(() => {
      asking = undefined;
    });
    return asking;
  };

  /**
   * Throws `Rejected` `unavailable`, code `read-model-behind`, where a read model is not at `position` in time, and `invalid`,
   * code `unknown-position`, where it never will be.
   */
  const waitFor = async (
    names: readonly string[],
    position: Position,
    { timeout_ms }: { timeout_ms: number },
  ): Promise<void> => {
    const deadline = performance.now() + timeout_ms;
    for (let pause = FIRST_PAUSE; ; pause = Math.min(LONGEST_PAUSE, pause * 1.5)) {
      const positions = await look();
      for (const at of positions.values()) if (at !== null && !ofOneForm(at, position)) throw unknownPosition(position);
      const late = names.filter((name) => (positions.get(name) ?? '') < position);
      if (late.length === 0) return;
      const left = deadline - performance.now();
      if (left <= 0) throw behind(late);
      await delay(Math.min(pause, left));
    }
  };

  return { waitFor };
};
