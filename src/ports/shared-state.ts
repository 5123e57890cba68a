/** Small, short-lived values that the services of the platform share. The store may lose them at any time. */
export interface SharedState {
  /** Sets a value. Throws `Rejected` `unavailable` where the store cannot be reached. */
  put(key: string, value: string, options: { ttl_seconds: number }): Promise<void>;
  /**
   * Null where the value was never set, has expired or was lost. Throws `Rejected` `unavailable` where the store cannot
   * be reached.
   */
  get(key: string): Promise<string | null>;
}
