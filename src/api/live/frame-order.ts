import type { Position } from '../../events/event.ts';

/** What there is to be done before frames can be sent as they come. */
export type Step<Frame> = { replay_after: Position | 'start' } | { send: Frame } | 'live';

export interface FrameOrder<Frame> {
  /** False: it has been sent already. The bus may be behind the log, and the log is read again after an overflow. */
  isNew(frame: Frame): boolean;
  sent(frame: Frame): void;
  /** The bus brought it. True: it is to be sent now; false: its turn comes. */
  arrived(frame: Frame): boolean;
  /** To be asked again when the step is done. After `live` whatever arrives is sent now: nothing may be awaited between. */
  next(): Step<Frame>;
  isLive(): boolean;
}

export interface FrameOrderOptions {
  after: Position | 'start';
  /** So many frames are kept while the log is read; what comes on top is read from the log in its turn. */
  max_waiting: number;
}

/**
 * The order in which one client gets its frames, none missing and none twice, though they come from two sides: from the log,
 * which is read after the client's position, and from the bus meanwhile.
 *
 *     replaying -> sending what waited -> live
 *         ^                |
 *         +-- more came than may wait
 */
export const createFrameOrder = <Frame extends { position: Position }>(
  options: FrameOrderOptions,
): FrameOrder<Frame> => {
  let { after } = options;
  let waiting: Frame[] = [];
  /** At first, too: what the log has comes before what the bus brings. */
  let mustReplay = true;
  let live = false;
  return {
    isNew: ({ position }) => after === 'start' || position > after,
    sent: ({ position }) => {
      after = position;
    },
    arrived: (frame) => {
      if (live) return true;
      if (waiting.length < options.max_waiting) waiting.push(frame);
      else mustReplay = true;
      return false;
    },
    next: () => {
      if (mustReplay) {
        mustReplay = false;
        // They are in the log, too.
        waiting = [];
        return { replay_after: after };
      }
      const frame = waiting.shift();
      if (frame !== undefined) return { send: frame };
      live = true;
      return 'live';
    },
    isLive: () => live,
  };
};
