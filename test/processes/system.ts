import { pino } from 'pino';
import { createHttpInvoker } from '../../src/adapters/http-invoker.ts';
import { createPostgresLog } from '../../src/adapters/postgres/log.ts';
import { createVault } from '../../src/adapters/postgres/vault.ts';
import { createCommandHandler } from '../../src/commands/engine/handle.ts';
import { createProcesses } from '../../src/processes/catalog.ts';
import { createProcessRunner } from '../../src/processes/engine/runner.ts';
import type { ClustersFound, Process } from '../../src/processes/process.ts';
import { openPool } from '../pool.ts';

const all = createProcesses({ objectUri: (key) => `file:///objects/${key}`, placement_seconds: 120 });

/** The real log, vault and command handler over one database, and runners that call one service. */
export const openSystem = async ({ connection_string, url }: { connection_string: string; url: string }) => {
  const { pool, close } = openPool(connection_string, 16);
  const log = await createPostgresLog({ connectionString: connection_string });
  const vault = createVault({ pool, master_key: Buffer.alloc(32, 7) });
  const clock = () => new Date().toISOString();
  const handle = createCommandHandler({ log, vault, clock, findLiveEndpoints: async () => [] });
  const removed: string[] = [];
  const clusters: ClustersFound = [];
  const run = (owner: string, processes: readonly Process[] = all) =>
    createProcessRunner({
      log,
      pool,
      processes,
      handle,
      vault,
      owner,
      invoker: createHttpInvoker({ urls: { budmodel: url, budsim: url, budcluster: url } }),
      objects: {
        remove: async (key) => {
          removed.push(key);
        },
      },
      findClustersByBudId: async (wanted) => clusters.filter(({ bud_cluster_id }) => wanted.includes(bud_cluster_id)),
      logger: pino({ level: 'silent' }),
      claim_ms: 1500,
      poll_ms: 50,
    });
  return {
    pool,
    log,
    handle,
    run,
    removed,
    clusters,
    close: async () => {
      await log.close();
      await close();
    },
  };
};
export type System = Awaited<ReturnType<typeof openSystem>>;
