import type { Position } from '../../events/event.ts';

/** The next step before frames can be sent as they arrive. */
export type Step<Frame> = { replay_after: Position | 'start' } | { send: Frame } | 'live';

export interface FrameOrder<Frame> {
  /**
   * False where the frame has been sent already: the bus may be behind the log, and the log is read again after an
   * overflow.
   */
  isNew(frame: Frame): boolean;
  /** Called for a frame that was sent, or for the position up to which the log has been read. */
  sent(frame: { position: Position }): void;
  /** Called for a frame from the bus. True where it must be sent now; false where it is kept for later. */
  arrived(frame: Frame): boolean;
  /**
   * To be called again when the step is done. After `live` each arriving frame is sent at once, so there must be no
   * await in between.
   */
  next(): Step<Frame>;
  isLive(): boolean;
}

export interface FrameOrderOptions {
  after: Position | 'start';
  /** Bound on the frames kept while the log is read; those beyond it are read from the log later. */
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
  /** True at the start too, since the log is read before frames of the bus are sent. */
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
        // The kept frames are in the log too.
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
