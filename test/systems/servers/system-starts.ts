import { mkdir } from 'node:fs/promises';
import { SERVER_VERSION } from '../../eventstore-double/discovery.ts';
import { keptPort } from '../harness/ports.ts';
import { keptSecret, strongPassword } from '../harness/secrets.ts';
import type { System } from '../harness/system.ts';
import { needKeycloak } from '../install/keycloak.ts';
import { needPostgres } from '../install/postgres.ts';
import { needTool } from '../install/tools.ts';
import { startLocalService } from './budapp.ts';
import { startDaprd } from './daprd.ts';
import { startEventStoreDouble } from './eventstore-double.ts';
import { startKeycloak } from './keycloak.ts';
import { ensureAdmin } from './keycloak-first-admin.ts';
import { startMinio } from './minio.ts';
import { startNats } from './nats.ts';
import { startPostgres } from './postgres.ts';
import { startRedis } from './redis.ts';

/** In the order in which they are started; `dapr` stands for BudApp's sidecar and the services behind theirs. */
export const SYSTEM_NAMES = ['postgres', 'eventstore-double', 'nats', 'minio', 'redis', 'keycloak', 'dapr'] as const;
export type SystemName = (typeof SYSTEM_NAMES)[number];

const SERVICES = ['budcluster', 'budmodel', 'budsim', 'budmetrics'] as const;

export const ADMIN_EMAIL = 'admin@example.test';

/** One of the systems, not started yet. */
export interface SystemStart {
  name: SystemName;
  /** Gets what it needs onto this machine and answers what it is. Throws `NotToBeHad`. */
  install(): Promise<string>;
  /** Once, however often it is called. What it opened is closed again where it fails. */
  start(): Promise<readonly System[]>;
}

type Settings = Readonly<Record<string, string>>;

const INSTALLS: Readonly<Record<SystemName, () => Promise<{ version: string }>>> = {
  postgres: () => needPostgres(),
  'eventstore-double': async () => ({ version: `eventstore-double ${SERVER_VERSION}` }),
  nats: () => needTool('nats-server'),
  minio: () => needTool('minio'),
  redis: () => needTool('redis-server'),
  keycloak: () => needKeycloak(),
  dapr: () => needTool('daprd'),
};

/** Opens several one after another; where one fails, closes those before it. */
const inOrder = async (work: (open: <T extends System>(starting: Promise<T>) => Promise<T>) => Promise<void>) => {
  const opened: System[] = [];
  try {
    await work(async (starting) => {
      const system = await starting;
      opened.push(system);
      return system;
    });
    return opened;
  } catch (error) {
    for (const system of opened.reverse()) await system.close();
    throw error;
  }
};

const startKeycloakWithAdmin = (dir: string) =>
  inOrder(async (open) => {
    const keycloak = await open(startKeycloak({ dir }));
    await ensureAdmin(keycloak, { email: ADMIN_EMAIL, password: await keptSecret(dir, 'admin', strongPassword) });
  });

const startMinioWithBucket = (dir: string) =>
  inOrder(async (open) => {
    const minio = await open(startMinio({ dir }));
    await minio.makeBucket();
  });

/** BudApp's own sidecar first, so that its settings come first. */
const startSidecars = (dir: string, redis: Settings, shared: Settings) =>
  inOrder(async (open) => {
    const tokens = {
      dapr_api_token: await keptSecret(dir, 'dapr-api-token'),
      app_api_token: await keptSecret(dir, 'app-api-token'),
    };
    const sidecarOf = async (app_id: string) => {
      const app_port = await keptPort(dir, app_id);
      const sidecar = await open(startDaprd({ dir, app_id, app_port, health_path: '/health', tokens, redis }));
      return { port: app_port, settings: { ...shared, ...sidecar.settings } };
    };
    await sidecarOf('budapp');
    for (const app_id of SERVICES) await open(startLocalService({ dir, app_id, ...(await sidecarOf(app_id)) }));
  });

const once = <Result>(work: () => Promise<Result>): (() => Promise<Result>) => {
  let result: Promise<Result> | undefined;
  return () => {
    result ??= work();
    return result;
  };
};

const settingsOf = (systems: readonly System[]): Settings =>
  Object.assign({}, ...systems.map(({ settings }) => settings));

/** What is to be started in `dir` for the systems named. Dapr keeps its state in Redis, so it brings Redis along. */
export const systemStarts = (dir: string, only: readonly SystemName[] = SYSTEM_NAMES): readonly SystemStart[] => {
  const wanted = SYSTEM_NAMES.filter((name) => only.includes(name) || (name === 'redis' && only.includes('dapr')));
  const prepared = once(() => mkdir(dir, { recursive: true }));
  const one = (work: () => Promise<readonly System[]>) =>
    once(async () => {
      await prepared();
      return work();
    });
  const minio = one(() => startMinioWithBucket(dir));
  const redis = one(async () => [await startRedis({ dir, password: await keptSecret(dir, 'redis') })]);
  const STARTS: Readonly<Record<SystemName, () => Promise<readonly System[]>>> = {
    postgres: one(async () => [await startPostgres({ dir })]),
    'eventstore-double': one(async () => [await startEventStoreDouble({ dir })]),
    nats: one(async () => [await startNats({ dir })]),
    minio,
    redis,
    keycloak: one(() => startKeycloakWithAdmin(dir)),
    dapr: one(async () => {
      // The services fetch artefacts from it, where it is there.
      const artefacts = wanted.includes('minio') ? await minio().catch(() => []) : [];
      return startSidecars(dir, settingsOf(await redis()), settingsOf(artefacts));
    }),
  };
  return wanted.map((name) => ({
    name,
    install: async () => (await INSTALLS[name]()).version,
    start: STARTS[name],
  }));
};
