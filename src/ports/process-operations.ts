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

/** A parked command or call: its attempts are used up, and the later ones of its instance wait. */
export interface ParkedWork extends ParkedInstanceKey {
  id: string;
  tenant_id: string;
  /** The workflow that is told the outcome; null: none. */
  workflow_id: string | null;
  /** The name of the command or of the call. */
  work: string;
  /** The data of the command or the input of the call, without its secrets. */
  request: unknown;
  error: string;
  attempts: number;
  /** The last failures, oldest first. */
  failures: readonly { at: string; error: string }[];
  parked_at: string;
  /** When it is given up, which the workflow is told. */
  give_up_at: string;
  /** The number of later ones of the instance that wait for it. */
  waiting: number;
}

/** What an operator does with parked work: to attempt it again, with changed fields in its request or not, or give it up. */
export type ParkedWorkAction = { action: 'retry'; changes?: Readonly<Record<string, unknown>> } | { action: 'skip' };

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
  parked_intents: number;
}

/** Operations on parked process instances, for operators. */
export interface ProcessOperations {
  progress(): Promise<ProcessProgress>;
  listParked(): Promise<readonly ParkedInstance[]>;
  /** Retries the event. `resumed` is false where it, or one behind it, failed again. Throws `Rejected` `not-found`. */
  retryParked(key: ParkedInstanceKey): Promise<{ resumed: boolean }>;
  /** Skips the event for good and continues with those behind it. Throws `Rejected` `not-found`. */
  skipParked(key: ParkedInstanceKey): Promise<{ resumed: boolean }>;
  listParkedWork(): Promise<readonly ParkedWork[]>;
  /**
   * Calls `record` once the action is known to be possible, and performs it afterwards. Throws `Rejected` `not-found` where
   * the work is not parked any more, and `invalid` where the changed request breaks the contract.
   */
  resumeParkedWork(id: string, action: ParkedWorkAction, record: () => Promise<void>): Promise<void>;
}
