import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { createDiskObjects } from '../adapters/disk-objects.ts';
import { createHttpInvoker } from '../adapters/http-invoker.ts';
import { createLocalStatusBus } from '../adapters/local-status-bus.ts';
import { migrate } from '../adapters/migrate.ts';
import { surviveLostConnections } from '../adapters/postgres-connection.ts';
import { createPostgresLog } from '../adapters/postgres-log.ts';
import { createRevocations } from '../adapters/revocations.ts';
import { createVault } from '../adapters/vault.ts';
import { createApi } from '../api/api.ts';
import { createCommandHandler, type HandlerOptions } from '../commands/handle.ts';
import type { Config } from '../config.ts';
import type { TenantId } from '../events/ids.ts';
import { generatedMasterKey, generatedServiceToken } from '../local/generated-secret.ts';
import type { Closable, Dependency, Log } from '../ports.ts';
import { createProcesses } from '../processes/catalog.ts';
import { releaseAllClaims } from '../processes/intent-queue.ts';
import { createProcessOperations } from '../processes/operations.ts';
import { ClustersFound } from '../processes/process.ts';
import { createProcessRunner } from '../processes/runner.ts';
import { releaseAllLeases } from '../projections/lease.ts';
import { createProjectionOperations } from '../projections/operations.ts';
import { createReadModels, type ReadModels } from '../projections/read.ts';
import { createReadPool } from '../projections/read-pool.ts';
import { createProjectionRunner } from '../projections/runner.ts';
import { createStatusFeed } from '../projections/status-feed.ts';
import { createMetrics, type Logger } from '../telemetry.ts';
import { type Closing, createClosing } from './closing.ts';
import { type Database, openDatabase } from './database.ts';
import { dependenciesOf } from './dependencies.ts';
import { openHttpServer } from './http-server.ts';
import { openIdentity } from './identity.ts';
import { openServices } from './services.ts';

export interface BudApp extends Closable {
  url: string;
  dependencies: readonly Dependency[];
  /** The admin's password, where this start generated it: to be shown once. */
  generated_password: string | null;
}

const POOL_SIZE = 30;
/** How long a deletion waits to know of the newest endpoints. */
const FRESHNESS_TIMEOUT_MS = 5_000;

const clock = (): string => new Date().toISOString();

const versionOf = (): string => {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
};

const openPool = ({ connection_string }: Database, { closing, logger }: { closing: Closing; logger: Logger }) => {
  const pool = new pg.Pool({ connectionString: connection_string, max: POOL_SIZE, application_name: 'budapp' });
  surviveLostConnections(pool, (error) => logger.warn({ err: error }, 'lost a database connection'));
  closing.add('connection pool', { close: () => pool.end() });
  return pool;
};

/** Waits until the read model shows all that the log holds now. */
const waitForHead = async (readModels: ReadModels, log: Log, name: string): Promise<void> => {
  const head = await log.head();
  if (head) await readModels.waitFor([name], head, { timeout_ms: FRESHNESS_TIMEOUT_MS });
};

/** The endpoints that stand in the way of a deletion, as the log knows them now. */
const liveEndpointsIn =
  (readModels: ReadModels, log: Log): HandlerOptions['findLiveEndpoints'] =>
  async (area, id, tenant_id) => {
    if (area !== 'project' && area !== 'model' && area !== 'cluster') return [];
    await waitForHead(readModels, log, 'endpoints');
    const endpoints = await readModels.listLiveEndpoints({ tenant_id, area, id });
    return endpoints.map(({ id, name, project_id }) => ({ id, name, project_id }));
  };

/** The tenant's clusters among these, as the log knows them now: one may have been registered a moment ago. */
const clustersIn =
  (readModels: ReadModels, log: Log) =>
  async (budClusterIds: readonly string[], tenantId: TenantId): Promise<ClustersFound> => {
    await waitForHead(readModels, log, 'clusters');
    const found = await Promise.all(budClusterIds.map((id) => readModels.findClusterByBudId(id)));
    return ClustersFound.parse(
      found.flatMap((cluster) =>
        cluster?.tenant_id === tenantId && cluster.bud_cluster_id !== null
          ? [{ cluster_id: cluster.id, bud_cluster_id: cluster.bud_cluster_id, name: cluster.name }]
          : [],
      ),
    );
  };

const start = async (config: Config, logger: Logger, closing: Closing): Promise<Omit<BudApp, 'close'>> => {
  await mkdir(config.data_dir, { recursive: true });
  const http = await openHttpServer(config);
  closing.add('HTTP server', http);
  const local_url = `http://${config.host}:${http.port}`;
  const public_url = config.public_url ?? local_url;

  const database = await openDatabase(config, { closing, logger });
  const connectionString = database.connection_string;
  await migrate({ connectionString, log: (line) => logger.info(line) });
  const pool = openPool(database, { closing, logger });
  if (database.stand_in) {
    // The embedded server's folder is locked by us: whoever held anything in it is gone.
    await releaseAllLeases(pool);
    await releaseAllClaims(pool);
  }
  const readPool = await createReadPool(connectionString);
  closing.add('read pool', { close: () => readPool.end() });
  const log = closing.add('log', await createPostgresLog({ connectionString }));

  const vault = createVault({ pool, master_key: config.master_key ?? generatedMasterKey(config.data_dir) });
  await vault.checkMasterKey();
  const revocations = closing.add('revocations', await createRevocations({ pool, log: logger }));
  const identity = await openIdentity(config, { closing, logger, revocations, public_url });
  const objects = await createDiskObjects({ dir: join(config.data_dir, 'objects') });
  const bus = closing.add('status bus', createLocalStatusBus({ log: logger }));

  const dapr_api_token = config.dapr_api_token ?? generatedServiceToken(config.data_dir);
  const callback = { url: `${config.notifications_url ?? local_url}/notifications`, token: dapr_api_token };
  const services = await openServices(config, { closing, logger, callback });
  const urls = Object.fromEntries(services.map(({ app_id, url }) => [app_id, url]));
  const invoker = createHttpInvoker({ urls });

  const readModels = createReadModels({ pool: readPool });
  const findLiveEndpoints = liveEndpointsIn(readModels, log);
  const handle = createCommandHandler({
    log,
    vault,
    clock,
    findLiveEndpoints,
    deadlines: config.deadlines,
    // The embedded server's folder is locked by us.
    alone_since: database.stand_in ? clock() : undefined,
  });
  const dependencies = dependenciesOf(config, { pool, log, objects, database, identity, services });
  const owner = `${process.pid}-${randomUUID()}`;

  const processes = createProcesses({
    objectUri: (key) => objects.uri(key),
    placement_seconds: config.deadlines.placement,
  });
  const api = closing.add(
    'API',
    await createApi({
      ...{ handle, readModels, log, vault, objects, bus, invoker, pool, dependencies, logger, clock },
      identity: identity.identity,
      projections: createProjectionOperations({ pool, log }),
      processes: createProcessOperations({ pool, processes, logger }),
      metrics: createMetrics(),
      settings: {
        public_url,
        version: versionOf(),
        max_upload_bytes: config.max_upload_bytes,
        dapr_api_token,
        enable_metrics: config.enable_metrics,
      },
      ...(identity.register ? { registerUser: identity.register } : {}),
    }),
  );
  closing.add('status feed', createStatusFeed({ log, bus, logger }));
  closing.add('projections', createProjectionRunner({ log, pool, owner, logger }));
  closing.add(
    'processes',
    createProcessRunner({
      ...{ log, pool, handle, invoker, vault, objects, owner, logger },
      processes,
      findClustersByBudId: clustersIn(readModels, log),
    }),
  );
  api.attachStream(http.server);
  http.serve(api.app.callback());
  return { url: public_url, dependencies, generated_password: identity.generated_password };
};

/**
 * Puts everything together and serves. Throws where something cannot be opened, with nothing left open; `close` ends
 * it in order.
 */
export const startBudApp = async (config: Config, logger: Logger): Promise<BudApp> => {
  const closing = createClosing();
  try {
    const started = await start({ ...config, data_dir: resolve(config.data_dir) }, logger, closing);
    return { ...started, close: () => closing.close() };
  } catch (error) {
    await closing.close().catch((cause) => logger.warn({ err: cause }, 'not everything closed after a failed start'));
    throw error;
  }
};
