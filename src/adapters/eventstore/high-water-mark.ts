import type { Position } from '../../events/event.ts';

/** The highest position of which this process knows: what an append answers above it is new. */
export interface HighWaterMark {
  get(): Position | null;
  saw(position: Position | null): void;
  /** The log has become shorter: nothing is known any more. */
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
