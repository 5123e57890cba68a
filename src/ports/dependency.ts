/** One dependency as `/health/ready` shows it. */
export interface Dependency {
  name: string;
  /** What serves it now, for example `postgres (embedded)` or `nats://...`; never a password. */
  implementation: string;
  /** True where it stands in for the real system. */
  stand_in: boolean;
  /** Without it nothing can be served; without any other one, some things cannot. */
  needed: boolean;
  /** Throws where it cannot be used now. */
  check(): Promise<void>;
}
