import type { Position } from '../events/event.ts';
import type { EventId } from '../events/ids.ts';
import type { Log } from './log.ts';

/** An event that is known to be in the log. */
export interface Anchor {
  position: Position;
  /** Null where only the position is known. */
  event_id: EventId | null;
  /** Null where the stream is not known. */
  stream: string | null;
}

/**
 * Keeps a log that is not the one whose history this installation has followed from being written and read: it was
 * restored from an older backup, or has lost its end. One a process.
 */
export interface LogFence {
  /** Remembers an event that was read, or whose append was answered. */
  saw(anchor: Anchor): void;
  /**
   * Compares what is known with the log. Adapters call it whenever they have connected anew, before they append or read
   * on. Throws `log-behind` from the first difference on, for ever.
   */
  check(log: Pick<Log, 'eventAt'>): Promise<void>;
  /** Throws `log-behind` where a check has found a difference. */
  assertOpen(): void;
}
