import { isDeepStrictEqual } from 'node:util';
import { degradationOf } from '../../commands/endpoint/degradation.ts';
import { toWorkersReport } from '../../commands/endpoint/endpoint-report.ts';
import { reconcile } from '../../commands/endpoint/reconcile.ts';
import type { ReportedWorker } from '../../contracts/budcluster.ts';
import type { ReplicaCounts, Worker } from '../../events/values.ts';
import type { WatchedEndpoint } from '../../projections/queries/watched-query.ts';

/** What the cluster service answers about a namespace; null: it does not know it. */
export type Sight = readonly ReportedWorker[] | null;

interface Report {
  status: string;
  replicas: ReplicaCounts;
  ingress_healthy: boolean | null;
  workers: Worker[];
}

export interface Finding {
  endpoint: WatchedEndpoint;
  /** What is to be recorded; null where nothing is new. */
  report: Report | null;
  /** What does not become right by itself; null where the workers are those that are desired. */
  difference: 'workers' | 'deployment' | null;
}

const NOTHING = { total: 0, available: 0, failed: 0, pending: 0 };

/** What an unhealthy endpoint was last said to be, as far as a list of workers does not say that it is over. */
const lastSaid = ({ status, reason, observed }: WatchedEndpoint) => ({
  status:
    status === 'degraded' && (reason?.code === 'cluster-reports-failure' || reason?.code === 'recovery-overdue')
      ? 'error'
      : 'unknown',
  ingress_healthy: observed?.ingress_healthy ?? null,
});

const wordsOf = (workers: readonly Worker[]): string[] =>
  workers.map(({ name, status }) => `${name} ${status.toLowerCase()}`).toSorted();

/** Messages and lists differ in details and in order: only what changes the endpoint's state is new. */
const isNew = ({ status, desired, observed }: WatchedEndpoint, report: Report, known: readonly string[]): boolean => {
  if (status === 'unknown' || observed === null) return true;
  const isDegraded = degradationOf(report, { replicas: desired.replicas, known_workers: known }) !== null;
  if (isDegraded !== (status === 'degraded')) return true;
  if (observed.replicas.available !== report.replicas.available) return true;
  return !isDeepStrictEqual(wordsOf(observed.workers), wordsOf(report.workers));
};

const find = (endpoint: WatchedEndpoint, sight: Sight): Finding => {
  const { desired, observed } = endpoint;
  const known = observed?.workers.map(({ name }) => name) ?? [];
  if (sight === null) {
    const report = { status: 'missing', replicas: NOTHING, ingress_healthy: null, workers: [] };
    return { endpoint, report: isNew(endpoint, report, known) ? report : null, difference: 'deployment' };
  }
  const report = toWorkersReport(sight, lastSaid(endpoint));
  const { missing, surplus } = reconcile({ desired: desired.replicas, known }, sight);
  return {
    endpoint,
    report: isNew(endpoint, report, known) ? report : null,
    difference: missing > 0 || surplus.length > 0 ? 'workers' : null,
  };
};

/** Compares what is desired and known with what the clusters report; pure, and linear in the number of endpoints. */
export const compareReports = (endpoints: readonly WatchedEndpoint[], sights: ReadonlyMap<string, Sight>): Finding[] =>
  endpoints.flatMap((endpoint) => {
    const sight = sights.get(endpoint.id);
    return sight === undefined ? [] : [find(endpoint, sight)];
  });
