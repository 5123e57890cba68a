import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { createDiskObjects } from '../../src/adapters/disk-objects.ts';
import { createLocalStatusBus } from '../../src/adapters/local-status-bus.ts';
import { createPostgresLog } from '../../src/adapters/postgres/log.ts';
import { createProofs } from '../../src/adapters/postgres/proofs.ts';
import { createVault } from '../../src/adapters/postgres/vault.ts';
import { createApi } from '../../src/api/api.ts';
import type { ApiServices } from '../../src/api/services.ts';
import { createCommandHandler } from '../../src/commands/engine/handle.ts';
import type { Log } from '../../src/ports/log.ts';
import { ServiceFailure, type ServiceInvoker, type ServiceRequest } from '../../src/ports/service-invoker.ts';
import { createProcesses } from '../../src/processes/catalog.ts';
import { createProcessOperations } from '../../src/processes/engine/operations.ts';
import { createProjectionOperations } from '../../src/projections/engine/operations.ts';
import { createProjectionRunner } from '../../src/projections/engine/runner.ts';
import { createStatusFeed } from '../../src/projections/engine/status-feed.ts';
import { createReadModels } from '../../src/projections/queries/read.ts';
import { createReadPool } from '../../src/projections/queries/read-pool.ts';
import { createLogger } from '../../src/telemetry.ts';
import { openPool } from '../pool.ts';
import { testDatabase } from '../postgres.ts';
import { checkedFetch } from './checked-fetch.ts';
import { createFakeIdentity, type FakeIdentity, type Person } from './fake-identity.ts';

export const SERVICE_TOKEN = 'a-service-token-of-the-tests';
export const MAX_UPLOAD_BYTES = 2 * 1024 * 1024;

export interface Reply {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came.
  body: any;
}

const readReply = async (response: Response): Promise<Reply> => {
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
};

export type ServiceDouble = (request: ServiceRequest) => unknown;

/** Clients of the API at this address. */
export const clientsAt = (url: string, identity: FakeIdentity) => {
  const request = async (method: string, path: string, init: RequestInit = {}) =>
    readReply(await checkedFetch(new URL(path, url), { method, ...init }));

  /** Somebody with a token, who can ask. */
  const as = (person: Person) => {
    const { access_token } = identity.issue(person);
    const authorization = `Bearer ${access_token}`;
    const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
      request(method, path, {
        headers: {
          authorization,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    return {
      token: access_token,
      call,
      get: (path: string, headers?: Record<string, string>) => call('GET', path, undefined, headers),
      /** Reads at least as fresh as the answer to a write. */
      getAfter: (write: Reply, path: string) =>
        call('GET', path, undefined, { 'min-position': write.headers.get('position') ?? '' }),
      post: (path: string, body: unknown, headers?: Record<string, string>) => call('POST', path, body, headers),
      form: (path: string, form: FormData, headers: Record<string, string> = {}) =>
        request('POST', path, { body: form, headers: { authorization, ...headers } }),
    };
  };

  return { request, as, admin: as({ email: 'admin@example.org', role: 'admin' }) };
};

const openPostgresLog = (connectionString: string): Promise<Log> => createPostgresLog({ connectionString });

/**
 * The whole API over real Postgres, with the read models that follow it, on a port of its own. `openLog`: another log than
 * that in the same Postgres.
 */
export const startApi = async (overrides: Partial<ApiServices> = {}, { openLog = openPostgresLog } = {}) => {
  const database = await testDatabase();
  const { pool, close: closePool } = openPool(database.connection_string, 6);
  const readPool = await createReadPool(database.connection_string, { max: 4 });
  const folder = await mkdtemp(join(tmpdir(), 'budapp-api-'));
  const logger = createLogger({ level: 'silent' });
  const log = await openLog(database.connection_string);
  const vault = createVault({ pool, master_key: randomBytes(32) });
  const clock = () => new Date().toISOString();
  const readModels = createReadModels({ pool: readPool });
  const runner = createProjectionRunner({ log, pool, owner: 'test', logger });
  const bus = createLocalStatusBus({ log: logger });
  const feed = createStatusFeed({ log, bus, logger });
  const identity = createFakeIdentity();
  const double: { answer: ServiceDouble } = {
    answer: () => {
      throw new ServiceFailure('no such service here', { retryable: true, status: null });
    },
  };
  const invoker: ServiceInvoker = { invoke: async (request) => double.answer(request) };
  const handle = createCommandHandler({
    log,
    vault,
    clock,
    findLiveEndpoints: async (area, id, tenant_id) =>
      area === 'project' || area === 'model' || area === 'cluster'
        ? readModels.listLiveEndpoints({ tenant_id, area, id })
        : [],
  });
  const objects = await createDiskObjects({ dir: join(folder, 'objects') });
  const settings = {
    public_url: 'http://localhost:9081',
    version: '0.0.0-test',
    max_upload_bytes: MAX_UPLOAD_BYTES,
    dapr_api_token: SERVICE_TOKEN,
    own_writes_timeout_ms: 2000,
    alone: false,
    enable_metrics: true,
    pubsub_name: 'pubsub-redis',
  };
  const services: ApiServices = {
    handle,
    readModels,
    log,
    identity,
    vault,
    proofs: createProofs({ pool }),
    objects,
    bus,
    invoker,
    pool,
    projections: createProjectionOperations({ pool, log }),
    processes: createProcessOperations({
      pool,
      processes: createProcesses({ objectUri: (key) => key, placement_seconds: 120 }),
      logger,
    }),
    dependencies: [
      {
        name: 'postgres',
        implementation: 'postgres',
        stand_in: false,
        needed: true,
        check: async () => void (await pool.query('select 1')),
      },
    ],
    settings,
    logger,
    metrics: new Registry(),
    clock,
    ...overrides,
  };
  const api = await createApi(services);
  const server = createServer(api.app.callback());
  api.attachStream(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const clients = clientsAt(url, identity);

  return {
    url,
    server,
    services,
    folder,
    /** The paths of all files of the object store, whatever they are for. */
    storedFiles: async (): Promise<string[]> => {
      const entries = await readdir(join(folder, 'objects'), { recursive: true, withFileTypes: true });
      return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    },
    double,
    identity,
    connection_string: database.connection_string,
    ...clients,
    async close() {
      await api.close();
      server.closeAllConnections();
      server.close();
      await feed.close();
      await runner.close();
      await bus.close();
      await log.close();
      await readPool.end();
      await closePool();
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
};

export type RunningApi = Awaited<ReturnType<typeof startApi>>;
