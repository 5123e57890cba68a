import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import pg from 'pg';
import { logLostConnections } from '../adapters/postgres/connection.ts';
import { migrate } from '../adapters/postgres/migrate.ts';
import { createProofs } from '../adapters/postgres/proofs.ts';
import { createPostgresSocket } from '../adapters/postgres/socket.ts';
import { createVault } from '../adapters/postgres/vault.ts';
import { createCommandHandler, type HandleCommand, type HandlerOptions } from '../commands/engine/handle.ts';
import type { Config } from '../config/config.ts';
import { generatedMasterKey } from '../local/generated-secret.ts';
import type { Clock } from '../ports/clock.ts';
import type { Dependency } from '../ports/dependency.ts';
import type { Log } from '../ports/log.ts';
import type { LogFence } from '../ports/log-fence.ts';
import type { Proofs } from '../ports/proofs.ts';
import type { Vault } from '../ports/vault.ts';
import { releaseAllLeases } from '../postgres/lease.ts';
import { releaseAllClaims } from '../processes/engine/intent-queue.ts';
import { createReadModels, type ReadModels } from '../projections/queries/read.ts';
import { createReadPool } from '../projections/queries/read-pool.ts';
import { type Database, openDatabase } from './database.ts';
import { keepAnchors, readAnchors } from './log-fence/anchors.ts';
import { createLogFence, startFenced } from './log-fence/log-fence.ts';
import { assertSameLog, identifyLog } from './log-identity.ts';
import { openLog, type SystemNeeds } from './systems.ts';

/** What every role works on: the log, Postgres, and commands. */
export interface CoreServices {
  pool: pg.Pool;
  log: Log;
  fence: LogFence;
  readModels: ReadModels;
  vault: Vault;
  proofs: Proofs;
  handle: HandleCommand;
  clock: Clock;
  /** Names the leases and claims of this process; unique to each run. */
  owner: string;
  dependencies: Dependency[];
}

const POOL_SIZE = 30;
/**
 * A connection is given up after so long without a byte. Longer than any statement, also the one that removes old keys.
 */
const SILENCE_MS = 60_000;
/** How long a command waits for a read model to catch up with the log. */
const FRESHNESS_TIMEOUT_MS = 5_000;

const clock: Clock = () => new Date().toISOString();

const openPool = ({ connection_string }: Database, { closing, logger }: SystemNeeds): pg.Pool => {
  const pool = new pg.Pool({
    connectionString: connection_string,
    max: POOL_SIZE,
    application_name: 'budapp',
    stream: () => createPostgresSocket({ silence_ms: SILENCE_MS }),
  });
  logLostConnections(pool, logger);
  closing.add('connection pool', { close: () => pool.end() });
  return pool;
};

/** Waits until the read model shows all that the log holds now. */
export const waitForHead = async (readModels: ReadModels, log: Log, name: string): Promise<void> => {
  const head = await log.head();
  if (head) await readModels.waitFor([name], head, { timeout_ms: FRESHNESS_TIMEOUT_MS });
};

/** The live endpoints that use a project, model or cluster, as fresh as the log: they forbid its deletion. */
const liveEndpointsIn =
  (readModels: ReadModels, log: Log): HandlerOptions['findLiveEndpoints'] =>
  async (area, id, tenant_id) => {
    await waitForHead(readModels, log, 'endpoints');
    const endpoints = await readModels.listLiveEndpoints({ tenant_id, area, id });
    return endpoints.map(({ id, name, project_id }) => ({ id, name, project_id }));
  };

/** Opens Postgres, brings its schema up to date, and opens the log and the vault. */
export const openCoreServices = async (config: Config, needs: SystemNeeds): Promise<CoreServices> => {
  const { closing, logger } = needs;
  // Without stand-ins nothing is kept on this machine, so its disk may be read-only.
  if (config.stand_ins.length > 0) await mkdir(config.data_dir, { recursive: true });
  const database = await openDatabase(config, needs);
  const connectionString = database.connection_string;
  await migrate({ connectionString, log: (line) => logger.info(line) });
  const pool = openPool(database, needs);
  if (database.stand_in) {
    // This process holds the lock on the embedded server's folder, so every former holder of a lease or claim has
    // ended.
    await releaseAllLeases(pool);
    await releaseAllClaims(pool);
  }
  const readPool = await createReadPool(connectionString);
  closing.add('read pool', { close: () => readPool.end() });
  const fence = createLogFence({
    readAnchors: () => readAnchors(pool),
    keepAnchors: (missing) => keepAnchors(pool, missing),
    logger,
  });
  const { value: log, dependency } = await openLog(config, database, { ...needs, fence });
  const { eventstore_url } = config;
  const compare = () => startFenced(fence, log);
  await needs.retryUntilAvailable(async () =>
    assertSameLog({ pool, log, log_id: await identifyLog({ pool, eventstore_url }), compare }),
  );
  const master_key = config.master_key ?? (await generatedMasterKey(config.data_dir));
  const vault = createVault({ pool, master_key });
  await vault.checkMasterKey();
  const readModels = createReadModels({ pool: readPool });
  const handle = createCommandHandler({
    log,
    vault,
    clock,
    findLiveEndpoints: liveEndpointsIn(readModels, log),
    findNamesakes: readModels.findNamesakes,
    deadlines: config.deadlines,
    cluster_configuration: config.cluster_configuration,
    // This process holds the lock on the embedded server's folder, so no other one works on this log.
    alone_since: database.stand_in ? clock() : undefined,
  });
  const postgres: Dependency = {
    name: 'postgres',
    implementation: database.implementation,
    stand_in: database.stand_in,
    needed: true,
    check: async () => {
      await pool.query('select 1');
    },
  };
  const owner = `${process.pid}-${randomUUID()}`;
  const proofs = createProofs({ pool });
  return { pool, log, fence, readModels, vault, proofs, handle, clock, owner, dependencies: [postgres, dependency] };
};
