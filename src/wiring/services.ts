import { join } from 'node:path';
import type { Config } from '../config.ts';
import { BUDCLUSTER } from '../contracts/budcluster.ts';
import { BUDMETRICS } from '../contracts/budmetrics.ts';
import { BUDMODEL } from '../contracts/budmodel.ts';
import { BUDSIM } from '../contracts/budsim.ts';
import type { Callback } from '../local/callback.ts';
import type { LocalService } from '../local/loopback.ts';
import type { Logger } from '../telemetry.ts';
import type { Closing } from './closing.ts';

export interface ServiceAddress {
  app_id: string;
  url: string;
  stand_in: boolean;
}

interface Needs {
  closing: Closing;
  logger: Logger;
  /** Where the stand-ins send their messages. */
  callback: Callback;
}

/** The other services: those that the settings name, and stand-ins on this machine for the rest. */
export const openServices = async (config: Config, { closing, logger, callback }: Needs): Promise<ServiceAddress[]> => {
  const { service_urls, data_dir } = config;

  const open = async (app_id: string, url: string | null, start: () => Promise<LocalService>) => {
    if (url) return { app_id, url, stand_in: false };
    const service = closing.add(`local ${app_id}`, await start());
    return { app_id, url: service.url, stand_in: true };
  };

  const cluster = await open(BUDCLUSTER, service_urls.budcluster, async () => {
    const { createLocalCluster } = await import('../local/cluster/local-cluster.ts');
    return createLocalCluster({
      data_dir: join(data_dir, 'cluster'),
      callback,
      log: logger.child({ part: BUDCLUSTER }),
    });
  });
  const model = await open(BUDMODEL, service_urls.budmodel, async () => {
    const { createLocalModelService } = await import('../local/model/local-model-service.ts');
    return createLocalModelService({
      data_dir: join(data_dir, 'model'),
      callback,
      log: logger.child({ part: BUDMODEL }),
    });
  });
  const simulator = await open(BUDSIM, service_urls.budsim, async () => {
    const { createLocalSimulator } = await import('../local/simulator/local-simulator.ts');
    const { readClusters } = await import('../local/simulator/read-clusters.ts');
    const log = logger.child({ part: BUDSIM });
    const clusters = () => readClusters(cluster.url);
    return createLocalSimulator({ data_dir: join(data_dir, 'simulator'), clusters, callback, log });
  });
  const metrics = await open(BUDMETRICS, service_urls.budmetrics, async () => {
    const { createLocalMetrics } = await import('../local/metrics/local-metrics.ts');
    return createLocalMetrics({ cluster_url: cluster.url, log: logger.child({ part: BUDMETRICS }) });
  });
  return [cluster, model, simulator, metrics];
};
