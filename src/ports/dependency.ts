/** One dependency as `/health/ready` shows it. */
export interface Dependency {
  name: string;
  /** The implementation in use, for example `postgres (embedded)` or `nats://...`; never with a password. */
  implementation: string;
  /** True for a stand-in of the embedded default. */
  stand_in: boolean;
  /** Whether the process is not ready without it; without any other dependency it is degraded. */
  needed: boolean;
  /** Throws where the dependency cannot be used. */
  check(): Promise<void>;
}
