/** The difference between the workers that are desired and those that a cluster reports. */

/** A worker as the cluster reports it; a service that gives no id is asked by name. */
export interface SeenWorker {
  id?: string | null | undefined;
  name?: string | null | undefined;
  status?: string | null | undefined;
}

export interface Difference {
  /** The number of workers to start. */
  missing: number;
  /** The workers to stop, by the id under which the cluster knows them, the least useful first. */
  surplus: readonly string[];
  /** Those of the surplus that were not there when the endpoint was last as desired. */
  unknown: readonly string[];
}

const LEAVING: ReadonlySet<string> = new Set(['terminating', 'stopping', 'deleting', 'stopped', 'succeeded']);

const wordOf = ({ status }: SeenWorker): string => status?.toLowerCase() ?? '';
const keyOf = ({ id, name }: SeenWorker): string => id || name || '';

/** Each worker once, without those that are on their way out. One without id and name cannot be told from others. */
const present = (reported: readonly SeenWorker[]): SeenWorker[] => {
  const byKey = new Map<string, SeenWorker>();
  for (const worker of reported) {
    const key = keyOf(worker);
    if (key !== '' && !LEAVING.has(wordOf(worker))) byKey.set(key, worker);
  }
  return [...byKey.values()];
};

/**
 * Pure, and linear in the number of workers but for sorting those of a surplus. A cluster that replaces a worker by
 * itself gives the new one another name: an unknown worker is therefore surplus only where there are more than desired.
 */
export const reconcile = (
  { desired, known }: { desired: number; known: Iterable<string> },
  reported: readonly SeenWorker[],
): Difference => {
  const workers = present(reported);
  const excess = workers.length - desired;
  if (excess <= 0) return { missing: Math.abs(excess), surplus: [], unknown: [] };
  const names = new Set(known);
  const isKnown = ({ id, name }: SeenWorker) => names.has(name ?? '') || names.has(id ?? '');
  // Unknown ones first, then those that do not run, then the youngest by name: the oldest are known to work.
  const rank = (worker: SeenWorker) => (isKnown(worker) ? 2 : 0) + (wordOf(worker) === 'running' ? 1 : 0);
  const surplus = workers
    .toSorted((a, b) => rank(a) - rank(b) || (b.name ?? '').localeCompare(a.name ?? '', 'en', { numeric: true }))
    .slice(0, excess);
  return {
    missing: 0,
    surplus: surplus.map(keyOf),
    unknown: names.size === 0 ? [] : surplus.filter((worker) => !isKnown(worker)).map(keyOf),
  };
};
