import type { Position } from '../events/event.ts';

export interface ParkedInstanceKey {
  process: string;
  instance_id: string;
}

/** A parked process instance: an event that it could not handle, and all later events for it, wait. */
export interface ParkedInstance extends ParkedInstanceKey {
  tenant_id: string;
  /** The position of the event that could not be handled. */
  position: string;
  event_type: string;
  error: string;
  attempts: number;
  parked_at: string;
  /** The number of waiting events, including that one. */
  waiting: number;
}

/** How far the process managers have read the log, and how much they have to do. */
export interface ProcessProgress {
  /** Null before the first event. */
  position: Position | null;
  /** The time of the last progress, RFC 3339; null before the first event. */
  updated_at: string | null;
  /** Commands and calls that are not done, and those among them that have failed before. */
  open: number;
  retrying: number;
  parked: number;
}

/** Operations on parked process instances, for operators. */
export interface ProcessOperations {
  progress(): Promise<ProcessProgress>;
  listParked(): Promise<readonly ParkedInstance[]>;
  /** Retries the event. `resumed` is false where it, or one behind it, failed again. Throws `Rejected` `not-found`. */
  retryParked(key: ParkedInstanceKey): Promise<{ resumed: boolean }>;
  /** Skips the event for good and continues with those behind it. Throws `Rejected` `not-found`. */
  skipParked(key: ParkedInstanceKey): Promise<{ resumed: boolean }>;
}
