import { join } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import { Recommendation, RunSimulationRequest } from '../../contracts/budsim.ts';
import type { Engines } from '../engine/engines.ts';
import type { ArtefactStore } from '../service/artefact-cache.ts';
import { type Callback, createCallbackOutbox } from '../service/callback.ts';
import { type Listen, type LocalService, parse, readJson, ServiceRefusal, serveLoopback } from '../service/loopback.ts';
import { openRequestWorkflows } from '../service/request-workflows.ts';
import type { ClusterFacts } from './placement.ts';
import { simulate } from './simulate.ts';

const SENDER = { source: 'budsim', source_topic: 'budSimMessages' };
const MOST_ITEMS = 100;

const RecommendationsQuery = z.object({
  workflow_id: z.uuid(),
  limit: z.coerce.number().int().min(1).max(MOST_ITEMS).default(MOST_ITEMS),
});
const Finished = z.looseObject({ recommendations: z.array(Recommendation) });

/**
 * The embedded stand-in for budsim: ranks the clusters that `clusters` returns by the room that they report. Keeps its
 * state in `data_dir`.
 */
export const createLocalSimulator = async (options: {
  clusters: () => Promise<ClusterFacts[]>;
  engines: Engines;
  data_dir: string;
  callback: Callback;
  log: Logger;
  /** Where `s3://` references lead; without it they are refused. */
  artefacts?: ArtefactStore | undefined;
  listen?: Listen | undefined;
}): Promise<LocalService> => {
  const { clusters, engines, data_dir, callback, log, artefacts, listen } = options;
  const outbox = await createCallbackOutbox({ dir: join(data_dir, 'outbox'), callback, log });
  const simulations = await openRequestWorkflows({
    kind: simulate({ clusters, engines, artefacts }),
    sender: SENDER,
    dir: join(data_dir, 'simulations'),
    outbox,
    log,
  });
  const server = await serveLoopback({
    log,
    listen,
    mount(router) {
      router.post('/simulator/run', async (ctx) => {
        ctx.body = await simulations.start(await readJson(ctx, RunSimulationRequest));
      });
      router.get('/simulator/recommendations', async (ctx) => {
        const { workflow_id, limit } = parse(RecommendationsQuery, { ...ctx.query });
        const result = await simulations.findResult(workflow_id);
        if (result === undefined) throw new ServiceRefusal(404, `no finished simulation ${workflow_id}`);
        ctx.body = { items: Finished.parse(result).recommendations.slice(0, limit) };
      });
    },
  });
  return {
    url: server.url,
    async close() {
      await server.close();
      await simulations.close();
      await outbox.close();
    },
  };
};
