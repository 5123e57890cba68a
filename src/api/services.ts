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
import type { Proofs } from '../ports/proofs.ts';
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

/** Settings of the API. */
export interface ApiSettings {
  /** The public URL of the API, without a slash at the end. */
  public_url: string;
  version: string;
  max_upload_bytes: number;
  /** The secret that `/notifications` expects in the header `dapr-api-token`. */
  dapr_api_token: string;
  /** The Dapr pub/sub component that delivers the services' messages; default: `pubsub-redis`. */
  pubsub_name: string;
  /** Milliseconds for which a read waits until it shows what the caller has written; 0: it does not wait. */
  own_writes_timeout_ms: number;
  /** Whether no other process works on this database. */
  alone: boolean;
  /** Whether `/metrics` is served. */
  enable_metrics: boolean;
}

/** The services that routes use. */
export interface ApiServices {
  handle: HandleCommand;
  readModels: ReadModels;
  log: Log;
  identity: Identity;
  vault: Vault;
  proofs: Proofs;
  objects: ObjectStore;
  bus: StatusBus;
  invoker: ServiceInvoker;
  /** Stores the idempotency keys. */
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
  /** Creates an account at the identity provider; absent where only the provider can do that. */
  registerUser?: (account: NewAccount) => Promise<void>;
}
