/** Small, short-lived facts that the services of the platform share; whoever keeps them may lose them at any time. */
export interface SharedState {
  /** Replaces what was there. Throws `Rejected` `unavailable` where the store cannot be reached. */
  put(key: string, value: string, options: { ttl_seconds: number }): Promise<void>;
  /** null: never put, expired or lost. Throws `Rejected` `unavailable` where the store cannot be reached. */
  get(key: string): Promise<string | null>;
}
