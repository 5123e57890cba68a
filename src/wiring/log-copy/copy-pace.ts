import type { Position } from '../../events/event.ts';
import { type CopyProgress, fractionOf } from './log-copy.ts';

/** What the target had already is only compared, which is far faster: an estimate from it would be wrong by hours. */
interface Phase {
  since: number;
  /** What was done at its beginning. */
  events: number;
  fraction: number;
}

const HOUR_SECONDS = 3600;
const MINUTE_SECONDS = 60;

const timeText = (seconds: number): string => {
  if (seconds >= 2 * HOUR_SECONDS) return `${Math.round(seconds / HOUR_SECONDS)} hours`;
  if (seconds >= 2 * MINUTE_SECONDS) return `${Math.round(seconds / MINUTE_SECONDS)} minutes`;
  return `${Math.max(1, Math.round(seconds))} s`;
};

const rateText = (rate: number): string => {
  const rounded = rate < 10 ? Math.round(rate * 10) / 10 : Math.round(rate);
  return `${rounded.toLocaleString('en')} a second`;
};

/**
 * The pace of a copy as text: events a second, and the time left up to `end`, the end of the source at its start, as far
 * as it can be estimated. To be called with each progress; times in milliseconds of one monotonic clock.
 */
export const createCopyPace = ({ end, started }: { end: Position | null; started: number }) => {
  let phase: Phase = { since: started, events: 0, fraction: 0 };
  let before: Phase = phase;
  let copying = false;

  return (progress: CopyProgress, now: number): string => {
    const { events, copied, position } = progress;
    const fraction = end !== null && position !== null ? fractionOf(position, end) : 0;
    if (!copying && copied > 0) {
      copying = true;
      phase = before;
    }
    before = { since: now, events, fraction };
    const seconds = (now - phase.since) / 1000;
    const [done, part] = [events - phase.events, fraction - phase.fraction];
    if (seconds <= 0 || done <= 0) return '';
    const left = part > 0 && fraction < 1 ? `, about ${timeText((seconds * (1 - fraction)) / part)} left` : '';
    return `${rateText(done / seconds)}${left}`;
  };
};
