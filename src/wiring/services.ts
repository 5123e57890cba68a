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
import type { Dependency } from '../ports/dependency.ts';
import type { ServiceInvoker } from '../ports/service-invoker.ts';
import { probe } from './probe.ts';
import { openStandIn, type ServiceName } from './stand-ins.ts';
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

/** The name of each service in `ALLOW_STAND_INS`, in `/health/ready` and below the data directory, by app id. */
const NAMES: Readonly<Record<ServiceName, StandIn>> = {
  [BUDCLUSTER]: 'cluster',
  [BUDMODEL]: 'model',
  [BUDSIM]: 'simulator',
  [BUDMETRICS]: 'metrics',
};

interface ServiceAddress {
  app_id: ServiceName;
  url: string;
  stand_in: boolean;
}

/** The addresses of the services: from the settings, or of a stand-in that is started here. */
const openAddresses = async (
  { service_urls, data_dir }: Config,
  { closing, logger, callback, artefacts }: ServiceNeeds,
): Promise<ServiceAddress[]> => {
  const open = async (app_id: ServiceName, cluster: { url: string } | null): Promise<ServiceAddress> => {
    const url = service_urls[app_id];
    if (url) return { app_id, url, stand_in: false };
    const service = await openStandIn(app_id, {
      data_dir: join(data_dir, NAMES[app_id]),
      log: logger.child({ part: app_id }),
      cluster: cluster && { url: cluster.url, headers: {} },
      ...{ callback, artefacts },
    });
    return { app_id, url: closing.add(`local ${app_id}`, service).url, stand_in: true };
  };
  const cluster = await open(BUDCLUSTER, null);
  return [cluster, await open(BUDMODEL, null), await open(BUDSIM, cluster), await open(BUDMETRICS, cluster)];
};

const openStraight = async (config: Config, needs: ServiceNeeds): Promise<OpenedServices> => {
  const addresses = await openAddresses(config, needs);
  return {
    invoker: createHttpInvoker({ urls: Object.fromEntries(addresses.map(({ app_id, url }) => [app_id, url])) }),
    dependencies: addresses.map(({ app_id, url, stand_in }) => ({
      name: NAMES[app_id],
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
