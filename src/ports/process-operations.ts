export interface ParkedInstanceKey {
  process: string;
  instance_id: string;
}

/** A process that could not digest an event: its instance, and all events that came for it since, wait. */
export interface ParkedInstance extends ParkedInstanceKey {
  tenant_id: string;
  /** Of the event that is in the way. */
  position: string;
  event_type: string;
  error: string;
  attempts: number;
  parked_at: string;
  /** How many events wait. */
  waiting: number;
}

/** What operators can do about processes that are stuck. */
export interface ProcessOperations {
  listParked(): Promise<readonly ParkedInstance[]>;
  /** Tries again; `resumed` false: it, or one behind it, failed again. Throws `Rejected` `not-found`. */
  retryParked(key: ParkedInstanceKey): Promise<{ resumed: boolean }>;
  /** Leaves the event that is in the way out for good and goes on with those behind it. Throws `Rejected` `not-found`. */
  skipParked(key: ParkedInstanceKey): Promise<{ resumed: boolean }>;
}
