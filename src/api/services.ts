import type { Pool } from 'pg';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { HandleCommand } from '../commands/engine/handle.ts';
import type { Clock } from '../ports/clock.ts';
import type { Dependency } from '../ports/dependency.ts';
import type { Identity } from '../ports/identity.ts';
import type { Log } from '../ports/log.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { ProcessOperations } from '../ports/process-operations.ts';
import type { ServiceInvoker } from '../ports/service-invoker.ts';
import type { StatusBus } from '../ports/status-bus.ts';
import type { Vault } from '../ports/vault.ts';
import type { ProjectionOperations } from '../projections/engine/operations.ts';
import type { ReadModels } from '../projections/queries/read.ts';

export interface NewAccount {
  email: string;
  password: string;
  name: string;
}

/** Settings that the API needs, as values. */
export interface ApiSettings {
  /** Where the world reaches the API, without a slash at the end. */
  public_url: string;
  version: string;
  max_upload_bytes: number;
  /** What `/notifications` demands in the header `dapr-api-token`. */
  dapr_api_token: string;
  /** The sidecar's component that brings the services' messages; default: `pubsub-redis`. */
  pubsub_name: string;
  /** Serves `/metrics`. */
  enable_metrics: boolean;
}

/** Everything that routes work with. */
export interface ApiServices {
  handle: HandleCommand;
  readModels: ReadModels;
  log: Log;
  identity: Identity;
  vault: Vault;
  objects: ObjectStore;
  bus: StatusBus;
  invoker: ServiceInvoker;
  /** For idempotency keys. */
  pool: Pool;
  /** Rebuilds and parked events of the projections. */
  projections: ProjectionOperations;
  /** Parked instances of the processes. */
  processes: ProcessOperations;
  dependencies: readonly Dependency[];
  settings: ApiSettings;
  logger: Logger;
  metrics: Registry;
  clock: Clock;
  /** Makes an account at the identity provider; absent where the provider does that itself. */
  registerUser?: (account: NewAccount) => Promise<void>;
}
