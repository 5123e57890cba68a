import type { LocalServiceConfig, LocalServiceNeeds } from '../../config/local-service.ts';
import { BUDCLUSTER } from '../../contracts/budcluster.ts';
import { BUDMETRICS } from '../../contracts/budmetrics.ts';
import { BUDMODEL } from '../../contracts/budmodel.ts';
import { BUDSIM } from '../../contracts/budsim.ts';
import type { ArtefactStore } from '../../local/service/artefact-cache.ts';
import type { Callback } from '../../local/service/callback.ts';
import { publishOver } from '../../local/service/delivery.ts';
import type { Listen, LocalService } from '../../local/service/loopback.ts';
import type { Logger } from '../../telemetry.ts';

interface Opening {
  data_dir: string;
  listen: Listen;
  config: LocalServiceConfig;
  log: Logger;
  /** Reads model files that are named as `s3://...`; absent where BudApp keeps its objects on this machine's disk. */
  artefacts: ArtefactStore | undefined;
}

/** The value that the service needs. `loadLocalServiceConfig` has checked that it is set. */
const present = <T>(value: T | null, what: string): T => {
  if (value === null) throw new Error(`this service needs ${what}`);
  return value;
};

const callbackOf = ({ config: { sidecar, notifications }, log }: Opening): Callback =>
  sidecar === null
    ? present(notifications, 'an address for its messages')
    : { deliver: publishOver({ ...sidecar, log }) };

interface Kind extends LocalServiceNeeds {
  /** It reads model files. */
  artefacts: boolean;
  open: (opening: Opening) => Promise<LocalService>;
}

/** The services that can be processes of their own, by app id. */
export const LOCAL_SERVICES: Readonly<Record<string, Kind>> = {
  [BUDCLUSTER]: {
    artefacts: true,
    messages: true,
    cluster: false,
    open: async (opening) => {
      const { createLocalCluster } = await import('../../local/cluster/local-cluster.ts');
      const { ENGINES: engines } = await import('../../local/engine/catalog.ts');
      return createLocalCluster({ ...opening, engines, callback: callbackOf(opening) });
    },
  },
  [BUDMODEL]: {
    artefacts: true,
    messages: true,
    cluster: false,
    open: async (opening) => {
      const { createLocalModelService } = await import('../../local/model/local-model-service.ts');
      const { ENGINES: engines } = await import('../../local/engine/catalog.ts');
      return createLocalModelService({ ...opening, engines, callback: callbackOf(opening) });
    },
  },
  [BUDSIM]: {
    artefacts: true,
    messages: true,
    cluster: true,
    open: async (opening) => {
      const { createLocalSimulator } = await import('../../local/simulator/local-simulator.ts');
      const { readClusters } = await import('../../local/simulator/read-clusters.ts');
      const { ENGINES: engines } = await import('../../local/engine/catalog.ts');
      const { url, headers } = present(opening.config.cluster, 'the cluster service');
      const clusters = () => readClusters(url, headers);
      return createLocalSimulator({ ...opening, clusters, engines, callback: callbackOf(opening) });
    },
  },
  [BUDMETRICS]: {
    artefacts: false,
    messages: false,
    cluster: true,
    open: async ({ listen, log, config }) => {
      const { createLocalMetrics } = await import('../../local/metrics/local-metrics.ts');
      const { url, headers } = present(config.cluster, 'the cluster service');
      return createLocalMetrics({ cluster_url: url, cluster_headers: headers, listen, log });
    },
  },
};
