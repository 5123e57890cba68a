import { randomBytes } from 'node:crypto';
import type { System } from '../harness/system.ts';
import { type Process, portOf, startLocalService, startRole } from './budapp.ts';
import { startDaprd } from './daprd.ts';
import { startEventStoreDouble } from './eventstore-double.ts';
import { type KeycloakSystem, startKeycloak } from './keycloak.ts';
import { startMinio } from './minio.ts';
import { startNats } from './nats.ts';
import { startPostgres } from './postgres.ts';
import { startRedis } from './redis.ts';

type Settings = Readonly<Record<string, string>>;

const SERVICES = ['budcluster', 'budmodel', 'budsim', 'budmetrics'] as const;
const ROLES = [
  ['api-1', 'api'],
  ['api-2', 'api'],
  ['projector-1', 'projector'],
  ['projector-2', 'projector'],
  ['processes-1', 'processes'],
  ['processes-2', 'processes'],
] as const;

/** BudApp as production runs it: each role twice, on all the real systems, with the services behind sidecars. */
export interface Installation {
  /** By the name under which `/health/ready` knows it. */
  systems: Readonly<
    Record<'postgres' | 'log' | 'status-bus' | 'object-store' | 'identity' | 'state-store' | 'dapr', System>
  >;
  roles: readonly Process[];
  /** Where the API is. */
  urls: readonly string[];
  keycloak: KeycloakSystem;
  /** Where the local services keep what they run. */
  dir: string;
  close(): Promise<void>;
}

/** Several systems that are stopped and started as one. */
const together = (name: string, systems: readonly System[]): System => ({
  name,
  version: systems[0]?.version ?? '',
  settings: {},
  stop: async (how) => {
    await Promise.all(systems.map((system) => system.stop(how)));
  },
  start: async () => {
    await Promise.all(systems.map((system) => system.start()));
  },
  close: async () => {
    await Promise.all(systems.map((system) => system.close()));
  },
});

/** Installs what is missing and starts all of it in `dir`. Throws `NotToBeHad`, with nothing left running. */
export const startInstallation = async (dir: string, settings: Settings = {}): Promise<Installation> => {
  const opened: System[] = [];
  const open = async <T extends System>(starting: Promise<T>): Promise<T> => {
    const system = await starting;
    opened.push(system);
    return system;
  };
  const close = async (): Promise<void> => {
    for (const system of opened.reverse()) await system.close();
    opened.length = 0;
  };

  const openAll = async (): Promise<Installation> => {
    const [postgres, log, nats, minio, redis, keycloak] = await Promise.all([
      open(startPostgres({ dir })),
      open(startEventStoreDouble({ dir })),
      open(startNats({ dir })),
      open(startMinio({ dir })),
      open(startRedis({ dir, password: randomBytes(16).toString('hex') })),
      open(startKeycloak({ dir })),
    ]);
    await minio.makeBucket();

    const tokens = {
      dapr_api_token: randomBytes(16).toString('hex'),
      app_api_token: randomBytes(16).toString('hex'),
    };
    const shared: Settings = {
      ...{ MASTER_KEY: randomBytes(32).toString('base64') },
      ...postgres.settings,
      ...log.settings,
      ...nats.settings,
      ...minio.settings,
      ...keycloak.settings,
      // Behind the sidecars are the local services.
      CLUSTER_CONFIGURATION: 'any',
      ...settings,
    };
    const sidecarOf = async (app_id: string, name: string, health_path: string) => {
      const app_port = await portOf(dir, name);
      const instance = name === app_id ? '' : `-${name}`;
      return open(startDaprd({ dir, app_id, instance, app_port, health_path, tokens, redis: redis.settings }));
    };

    const serviceSidecars: System[] = [];
    for (const app_id of SERVICES) {
      const sidecar = await sidecarOf(app_id, app_id, '/health');
      serviceSidecars.push(sidecar);
      const port = await portOf(dir, app_id);
      await open(startLocalService({ dir, app_id, port, settings: { ...sidecar.settings, ...minio.settings } }));
    }
    const sidecars = {
      'api-1': await sidecarOf('budapp', 'api-1', '/health'),
      'api-2': await sidecarOf('budapp', 'api-2', '/health'),
    };
    const roles: Process[] = [];
    for (const [name, role] of ROLES) {
      // One sidecar a pair: it brings messages to the API and takes the calls of both.
      const sidecar = name.endsWith('1') ? sidecars['api-1'] : sidecars['api-2'];
      const port = await portOf(dir, name);
      roles.push(await open(startRole({ dir, name, role, port, settings: { ...shared, ...sidecar.settings } })));
    }
    return {
      systems: {
        ...{ postgres, log },
        'status-bus': nats,
        'object-store': minio,
        identity: keycloak,
        'state-store': redis,
        dapr: together('dapr', [...serviceSidecars, ...Object.values(sidecars)]),
      },
      roles,
      urls: roles.filter(({ name }) => name.startsWith('api')).map(({ url }) => url),
      keycloak,
      dir,
      close,
    };
  };

  try {
    return await openAll();
  } catch (error) {
    await close();
    throw error;
  }
};
