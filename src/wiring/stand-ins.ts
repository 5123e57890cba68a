import type { LocalServiceNeeds } from '../config/local-service.ts';
import { BUDCLUSTER } from '../contracts/budcluster.ts';
import { BUDMETRICS } from '../contracts/budmetrics.ts';
import { BUDMODEL } from '../contracts/budmodel.ts';
import { BUDSIM } from '../contracts/budsim.ts';
import type { ArtefactStore } from '../local/service/artefact-cache.ts';
import type { Callback } from '../local/service/callback.ts';
import type { Listen, LocalService } from '../local/service/loopback.ts';
import type { Logger } from '../telemetry.ts';

interface Opening {
  /** The folder with all data of the service. */
  data_dir: string;
  /** Absent: loopback, at a free port. */
  listen?: Listen;
  log: Logger;
  /** The receiver of its messages; null for a service that sends none. */
  callback: Callback | null;
  /** The cluster service and the headers that it requires; null for a service that does not call it. */
  cluster: { url: string; headers: Readonly<Record<string, string>> } | null;
  /** The store of `s3://` references; undefined where BudApp keeps its objects on this machine's disk. */
  artefacts: ArtefactStore | undefined;
}

interface Kind extends LocalServiceNeeds {
  /** Reads model files. */
  artefacts: boolean;
  open: (opening: Opening) => Promise<LocalService>;
}

/** A required option. The caller has checked kind and settings before, so that null is a defect. */
const present = <T>(value: T | null, what: string): T => {
  if (value === null) throw new Error(`this service needs ${what}`);
  return value;
};

const callbackOf = ({ callback }: Opening): Callback => present(callback, 'an address for its messages');
const clusterOf = ({ cluster }: Opening) => present(cluster, 'the cluster service');

const loadEngines = async () => (await import('../local/engine/catalog.ts')).ENGINES;

const KINDS = {
  [BUDCLUSTER]: {
    artefacts: true,
    messages: true,
    cluster: false,
    open: async (opening) => {
      const { createLocalCluster } = await import('../local/cluster/local-cluster.ts');
      return createLocalCluster({ ...opening, engines: await loadEngines(), callback: callbackOf(opening) });
    },
  },
  [BUDMODEL]: {
    artefacts: true,
    messages: true,
    cluster: false,
    open: async (opening) => {
      const { createLocalModelService } = await import('../local/model/local-model-service.ts');
      return createLocalModelService({ ...opening, engines: await loadEngines(), callback: callbackOf(opening) });
    },
  },
  [BUDSIM]: {
    artefacts: true,
    messages: true,
    cluster: true,
    open: async (opening) => {
      const { createLocalSimulator } = await import('../local/simulator/local-simulator.ts');
      const { readClusters } = await import('../local/simulator/read-clusters.ts');
      const { url, headers } = clusterOf(opening);
      const clusters = () => readClusters(url, headers);
      const engines = await loadEngines();
      return createLocalSimulator({ ...opening, clusters, engines, callback: callbackOf(opening) });
    },
  },
  [BUDMETRICS]: {
    artefacts: false,
    messages: false,
    cluster: true,
    open: async (opening) => {
      const { createLocalMetrics } = await import('../local/metrics/local-metrics.ts');
      const { url, headers } = clusterOf(opening);
      return createLocalMetrics({ ...opening, cluster_url: url, cluster_headers: headers });
    },
  },
} satisfies Record<string, Kind>;

/** App id of a service that a stand-in can play. */
export type ServiceName = keyof typeof KINDS;

export const SERVICE_NAMES = Object.keys(KINDS);

export const isServiceName = (name: string): name is ServiceName => Object.hasOwn(KINDS, name);

/** What the stand-in of a service works with. */
export const needsOf = (name: ServiceName): Omit<Kind, 'open'> => KINDS[name];

/** Starts the stand-in of a service. */
export const openStandIn = (name: ServiceName, opening: Opening): Promise<LocalService> => KINDS[name].open(opening);
