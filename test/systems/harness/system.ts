/** One real system, as the tests run it: without containers, on loopback, on a free port, with its data below a folder. */
export interface System {
  /** `postgres`, `nats`, `keycloak`, `minio`, `redis`, `dapr-<app id>`, `eventstore-double` */
  name: string;
  /** What runs, as it says itself, for example `nats-server 2.15.2`. */
  version: string;
  /** The settings that make BudApp use it. */
  settings: Readonly<Record<string, string>>;
  /**
   * Ends its process: SIGTERM and an orderly end, or `kill -9`. The port and the data stay reserved, so that `start`
   * brings the same system back. Does nothing where it is stopped.
   */
  stop(how?: 'orderly' | 'kill'): Promise<void>;
  /** Brings it back on the same port with the same data; resolves when it can be used. */
  start(): Promise<void>;
  /** Stops it for good; the folder may be removed then. */
  close(): Promise<void>;
}

/** A tool or server cannot be had on this machine; the message says which, and why. Tests that need it are skipped with it. */
export class NotToBeHad extends Error {
  constructor(tool: string, reason: string, cause?: unknown) {
    super(`${tool} cannot be had here: ${reason}`, cause === undefined ? {} : { cause });
    this.name = 'NotToBeHad';
  }
}
