import type { Position } from '../../events/event.ts';
import { isBeyond } from './event-window.ts';

/**
 * Takes the log's head at a check and the newest event of the subscription. True where the subscription no longer
 * delivers.
 */
export type SilenceCheck = (newest: Position | null, brought: Position | null) => boolean;

/** Events may still be on their way at one check; if they are still missing at the next, the subscription is broken. */
export const createSilenceCheck = (): SilenceCheck => {
  let missing: Position | null = null;
  return (newest, brought) => {
    const silent = isBeyond(missing, brought);
    missing = isBeyond(newest, brought) ? newest : null;
    return silent;
  };
};
