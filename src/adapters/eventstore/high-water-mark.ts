import type { Position } from '../../events/event.ts';

/** The highest position that this process knows: an append answered with a higher one is new. */
export interface HighWaterMark {
  get(): Position | null;
  saw(position: Position | null): void;
  /** Resets the mark, since the log has lost its end. */
  forget(): void;
}

export const createHighWaterMark = (): HighWaterMark => {
  let highest: Position | null = null;
  return {
    get: () => highest,
    saw(position) {
      if (position !== null && (highest === null || position > highest)) highest = position;
    },
    forget() {
      highest = null;
    },
  };
};
