import type { Position } from '../../events/event.ts';
import { isBeyond } from './event-window.ts';

/** Takes what a look at the log found and what the subscription has brought; true: the subscription has fallen silent. */
export type SilenceCheck = (newest: Position | null, brought: Position | null) => boolean;

/** One look finds events that are still on their way; that the next one finds them still missing is no coincidence. */
export const createSilenceCheck = (): SilenceCheck => {
  let missing: Position | null = null;
  return (newest, brought) => {
    const silent = isBeyond(missing, brought);
    missing = isBeyond(newest, brought) ? newest : null;
    return silent;
  };
};
