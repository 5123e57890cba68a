import { join } from 'node:path';
import { createHttpInvoker } from '../adapters/http-invoker.ts';
import type { Config } from '../config/config.ts';
import type { StandIn } from '../config/stand-ins.ts';
import { BUDCLUSTER } from '../contracts/budcluster.ts';
import { BUDMETRICS } from '../contracts/budmetrics.ts';
import { BUDMODEL } from '../contracts/budmodel.ts';
import { BUDSIM } from '../contracts/budsim.ts';
import type { ArtefactStore } from '../local/service/artefact-cache.ts';
import type { Callback } from '../local/service/callback.ts';
import type { LocalService } from '../local/service/loopback.ts';
import type { Dependency } from '../ports/dependency.ts';
import type { ServiceInvoker } from '../ports/service-invoker.ts';
import { probe } from './probe.ts';
import type { SystemNeeds } from './systems.ts';

interface ServiceNeeds extends SystemNeeds {
  /** Where the stand-ins send their messages. */
  callback: Callback;
  /** Where the stand-ins find `s3://` references; undefined where objects lie on this machine. */
  artefacts: ArtefactStore | undefined;
}

interface OpenedServices {
  invoker: ServiceInvoker;
  dependencies: Dependency[];
}

/** The name of each service in `ALLOW_STAND_INS` and `/health/ready`, by app id. */
const NAMES: Readonly<Record<string, StandIn>> = {
  [BUDCLUSTER]: 'cluster',
  [BUDMODEL]: 'model',
  [BUDSIM]: 'simulator',
  [BUDMETRICS]: 'metrics',
};

interface ServiceAddress {
  app_id: string;
  url: string;
  stand_in: boolean;
}

/** The addresses of the services: from the settings, or of a stand-in that is started here. */
const openAddresses = async (
  { service_urls, data_dir }: Config,
  { closing, logger, callback, artefacts }: ServiceNeeds,
): Promise<ServiceAddress[]> => {
  const open = async (app_id: string, url: string | null, start: () => Promise<LocalService>) => {
    if (url) return { app_id, url, stand_in: false };
    const service = closing.add(`local ${app_id}`, await start());
    return { app_id, url: service.url, stand_in: true };
  };

  const cluster = await open(BUDCLUSTER, service_urls.budcluster, async () => {
    const { createLocalCluster } = await import('../local/cluster/local-cluster.ts');
    const { ENGINES: engines } = await import('../local/engine/catalog.ts');
    return createLocalCluster({
      data_dir: join(data_dir, 'cluster'),
      ...{ callback, artefacts, engines },
      log: logger.child({ part: BUDCLUSTER }),
    });
  });
  const model = await open(BUDMODEL, service_urls.budmodel, async () => {
    const { createLocalModelService } = await import('../local/model/local-model-service.ts');
    const { ENGINES: engines } = await import('../local/engine/catalog.ts');
    return createLocalModelService({
      data_dir: join(data_dir, 'model'),
      ...{ callback, artefacts, engines },
      log: logger.child({ part: BUDMODEL }),
    });
  });
  const simulator = await open(BUDSIM, service_urls.budsim, async () => {
    const { createLocalSimulator } = await import('../local/simulator/local-simulator.ts');
    const { readClusters } = await import('../local/simulator/read-clusters.ts');
    const { ENGINES: engines } = await import('../local/engine/catalog.ts');
    const log = logger.child({ part: BUDSIM });
    const clusters = () => readClusters(cluster.url);
    return createLocalSimulator({ data_dir: join(data_dir, 'simulator'), clusters, engines, callback, artefacts, log });
  });
  const metrics = await open(BUDMETRICS, service_urls.budmetrics, async () => {
    const { createLocalMetrics } = await import('../local/metrics/local-metrics.ts');
    return createLocalMetrics({ cluster_url: cluster.url, log: logger.child({ part: BUDMETRICS }) });
  });
  return [cluster, model, simulator, metrics];
};

const openStraight = async (config: Config, needs: ServiceNeeds): Promise<OpenedServices> => {
  const addresses = await openAddresses(config, needs);
  return {
    invoker: createHttpInvoker({ urls: Object.fromEntries(addresses.map(({ app_id, url }) => [app_id, url])) }),
    dependencies: addresses.map(({ app_id, url, stand_in }) => ({
      name: NAMES[app_id] ?? app_id,
      implementation: `${app_id}${stand_in ? ', local,' : ''} at ${url}`,
      stand_in,
      needed: false,
      check: () => probe(url),
    })),
  };
};

/**
 * All services behind the sidecar. Nothing is awaited here, since sidecar and services may start after this process.
 */
const openDapr = async (
  dapr: NonNullable<Config['dapr']>,
  { closing, logger }: ServiceNeeds,
): Promise<OpenedServices> => {
  const { createDaprInvoker } = await import('../adapters/dapr/invoker.ts');
  const invoker = closing.add('Dapr client', createDaprInvoker({ ...dapr, logger }));
  const sidecar = `http://127.0.0.1:${dapr.http_port}/v1.0`;
  const headers: Record<string, string> = dapr.api_token === null ? {} : { 'dapr-api-token': dapr.api_token };
  const apps = Object.entries(NAMES).map(([app_id, name]) => ({
    name,
    implementation: `${app_id} over Dapr`,
    stand_in: false,
    needed: false,
    check: () => probe(`${sidecar}/invoke/${app_id}/method/health`, headers),
  }));
  const own = {
    name: 'dapr',
    implementation: `sidecar at port ${dapr.http_port}`,
    stand_in: false,
    needed: false,
    check: () => invoker.check(),
  };
  return { invoker, dependencies: [own, ...apps] };
};

/** Opens the other services: through the Dapr sidecar where there is one, else straight over HTTP. */
export const openServices = (config: Config, needs: ServiceNeeds): Promise<OpenedServices> =>
  config.dapr ? openDapr(config.dapr, needs) : openStraight(config, needs);
