/** Upper bounds in milliseconds; the last bucket has none. */
const BOUNDS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000] as const;
const MINUTE_MS = 60_000;
const KEPT_MINUTES = 60;

/** Of an inference request: answered, refused because of the request (4xx), or not answered as it should be (5xx). */
export type Outcome = 'success' | 'client_error' | 'server_error';

interface Minute {
  requests: number;
  client_errors: number;
  /** 5xx. */
  failures: number;
  latency_ms_sum: number;
  latency_ms_max: number;
  counts: number[];
}

/** The inference requests at the ingress, per namespace and minute, for the last hour; in memory only. */
export interface RequestMetrics {
  record(namespace: string, request: { latency_ms: number; outcome: Outcome }): void;
  read(namespace: string): ReturnType<typeof describe>;
}

const emptyMinute = (): Minute => ({
  requests: 0,
  client_errors: 0,
  failures: 0,
  latency_ms_sum: 0,
  latency_ms_max: 0,
  counts: new Array(BOUNDS.length + 1).fill(0),
});

const bucketOf = (latency: number): number => {
  const index = BOUNDS.findIndex((bound) => latency <= bound);
  return index < 0 ? BOUNDS.length : index;
};

const describe = (namespace: string, minutes: ReadonlyMap<number, Minute>) => ({
  namespace,
  minutes: [...minutes].map(([minute, { counts, ...figures }]) => ({
    at: new Date(minute * MINUTE_MS).toISOString(),
    ...figures,
    buckets: counts.map((count, index) => ({ le: BOUNDS[index] ?? null, count })),
  })),
});

export const createRequestMetrics = (now: () => number = Date.now): RequestMetrics => {
  const byNamespace = new Map<string, Map<number, Minute>>();

  const dropOld = (namespace: string, current: number) => {
    const minutes = byNamespace.get(namespace);
    if (minutes === undefined) return;
    for (const minute of minutes.keys()) if (minute <= current - KEPT_MINUTES) minutes.delete(minute);
    if (minutes.size === 0) byNamespace.delete(namespace);
  };

  return {
    record(namespace, { latency_ms, outcome }) {
      const current = Math.floor(now() / MINUTE_MS);
      for (const known of [...byNamespace.keys()]) dropOld(known, current);
      const minutes = byNamespace.get(namespace) ?? new Map<number, Minute>();
      const minute = minutes.get(current) ?? emptyMinute();
      byNamespace.set(namespace, minutes.set(current, minute));
      minute.requests += 1;
      minute.client_errors += outcome === 'client_error' ? 1 : 0;
      minute.failures += outcome === 'server_error' ? 1 : 0;
      minute.latency_ms_sum += latency_ms;
      minute.latency_ms_max = Math.max(minute.latency_ms_max, latency_ms);
      const bucket = bucketOf(latency_ms);
      minute.counts[bucket] = (minute.counts[bucket] ?? 0) + 1;
    },
    read(namespace) {
      dropOld(namespace, Math.floor(now() / MINUTE_MS));
      return describe(namespace, byNamespace.get(namespace) ?? new Map());
    },
  };
};
