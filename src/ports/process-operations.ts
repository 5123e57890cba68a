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

/** Operations on parked process instances, for operators. */
export interface ProcessOperations {
  listParked(): Promise<readonly ParkedInstance[]>;
  /** Retries the event. `resumed` is false where it, or one behind it, failed again. Throws `Rejected` `not-found`. */
  retryParked(key: ParkedInstanceKey): Promise<{ resumed: boolean }>;
  /** Skips the event for good and continues with those behind it. Throws `Rejected` `not-found`. */
  skipParked(key: ParkedInstanceKey): Promise<{ resumed: boolean }>;
}
