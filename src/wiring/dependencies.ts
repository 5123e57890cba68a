import type { Pool } from 'pg';
import type { Config, StandIn } from '../config.ts';
import type { Dependency, Log, ObjectStore } from '../ports.ts';
import type { Database } from './database.ts';
import type { OpenedIdentity } from './identity.ts';
import type { ServiceAddress } from './services.ts';

const CHECK_TIMEOUT_MS = 3_000;

/** Any answer will do: what is asked is whether somebody is there. */
const answers = async (url: string): Promise<void> => {
  const response = await fetch(url, { signal: AbortSignal.timeout(CHECK_TIMEOUT_MS) });
  await response.body?.cancel();
  if (response.status >= 500) throw new Error(`answered ${response.status}`);
};

export interface Parts {
  pool: Pool;
  log: Log;
  objects: ObjectStore;
  database: Database;
  identity: OpenedIdentity;
  services: readonly ServiceAddress[];
}

const SERVICE_NAMES: Readonly<Record<string, StandIn>> = {
  budcluster: 'cluster',
  budmodel: 'model',
  budsim: 'simulator',
  budmetrics: 'metrics',
};

/** Everything that BudApp works with, as `/health/ready` and the greeting show it. */
export const dependenciesOf = (config: Config, parts: Parts): Dependency[] => {
  const { pool, log, objects, database, identity, services } = parts;
  return [
    {
      name: 'postgres',
      implementation: database.implementation,
      stand_in: database.stand_in,
      check: async () => {
        await pool.query('select 1');
      },
    },
    {
      name: 'log',
      implementation: 'postgres',
      stand_in: false,
      check: async () => {
        await log.head();
      },
    },
    {
      name: 'object-store',
      implementation: `files under ${config.data_dir}`,
      stand_in: true,
      check: async () => {
        await objects.find('health/none');
      },
    },
    { name: 'status-bus', implementation: 'in this process', stand_in: true, check: async () => {} },
    {
      name: 'identity',
      implementation: `${identity.stand_in ? 'local OpenID provider' : 'OpenID provider'} at ${identity.issuer_url}`,
      stand_in: identity.stand_in,
      check: () => answers(`${identity.issuer_url}/.well-known/openid-configuration`),
    },
    ...services.map(({ app_id, url, stand_in }) => ({
      name: SERVICE_NAMES[app_id] ?? app_id,
      implementation: `${app_id}${stand_in ? ', local,' : ''} at ${url}`,
      stand_in,
      check: () => answers(url),
    })),
  ];
};
