import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import { createPostgresLog } from '../../../src/adapters/postgres/log.ts';
import { createApi } from '../../../src/api/api.ts';
import { createCommandHandler } from '../../../src/commands/engine/handle.ts';
import type { Log } from '../../../src/ports/log.ts';
import { createReadModels } from '../../../src/projections/queries/read.ts';
import { createReadPool } from '../../../src/projections/queries/read-pool.ts';
import { clientsAt, type RunningApi } from '../running-api.ts';

/**
 * A second process of the role `api` over the same database: what it knows of the first one it has from the log and the
 * read models. `wrap` may disturb its log.
 */
export const startSecondProcess = async (
  { services, identity, connection_string }: RunningApi,
  wrap: (log: Log) => Log = (log) => log,
) => {
  const log = wrap(await createPostgresLog({ connectionString: connection_string }));
  const readPool = await createReadPool(connection_string, { max: 4 });
  const readModels = createReadModels({ pool: readPool });
  const { vault, clock } = services;
  const handle = createCommandHandler({ log, vault, clock, findLiveEndpoints: async () => [] });
  const api = await createApi({ ...services, log, readModels, handle, metrics: new Registry() });
  const server = createServer(api.app.callback()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    ...clientsAt(url, identity),
    close: async () => {
      await api.close();
      server.closeAllConnections();
      server.close();
      await log.close();
      await readPool.end();
    },
  };
};
