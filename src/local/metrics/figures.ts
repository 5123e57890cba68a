import type { Figures } from '../../contracts/budmetrics.ts';
import type { ServedMinute } from './serve-metrics.ts';

const MINUTE_MS = 60_000;

/** Smallest bucket bound that at least this share of all requests stayed within; above the last bound the maximum is known. */
const percentile = (minutes: readonly ServedMinute[], share: number, max: number): number => {
  const counts = new Map<number, number>();
  for (const { le, count } of minutes.flatMap((minute) => minute.buckets)) {
    const bound = le ?? Number.POSITIVE_INFINITY;
    counts.set(bound, (counts.get(bound) ?? 0) + count);
  }
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  let seen = 0;
  for (const [bound, count] of [...counts].sort(([a], [b]) => a - b)) {
    seen += count;
    if (seen >= share * total) return Math.min(bound, max);
  }
  return max;
};

/** Aggregates the figures of these minutes. Without requests, rates and latencies are null. */
export const figuresOf = (minutes: readonly ServedMinute[]): Figures => {
  const request_count = minutes.reduce((sum, minute) => sum + minute.requests, 0);
  const client_error_count = minutes.reduce((sum, minute) => sum + minute.client_errors, 0);
  const server_error_count = minutes.reduce((sum, minute) => sum + minute.failures, 0);
  const failure_count = client_error_count + server_error_count;
  const success_count = request_count - failure_count;
  const counts = { request_count, success_count, failure_count, client_error_count, server_error_count };
  if (request_count === 0) {
    const unknown = { latency_mean: null, latency_p50: null, latency_p95: null, latency_p99: null, latency_max: null };
    return { ...counts, success_rate: null, ...unknown };
  }
  const latency_max = Math.max(...minutes.map((minute) => minute.latency_ms_max));
  return {
    ...counts,
    success_rate: success_count / request_count,
    latency_mean: minutes.reduce((sum, minute) => sum + minute.latency_ms_sum, 0) / request_count,
    latency_p50: percentile(minutes, 0.5, latency_max),
    latency_p95: percentile(minutes, 0.95, latency_max),
    latency_p99: percentile(minutes, 0.99, latency_max),
    latency_max,
  };
};

/** Those minutes that begin within the span; `to` is exclusive. */
export const within = (minutes: readonly ServedMinute[], span: { from: number; to: number }): ServedMinute[] =>
  minutes.filter(({ at }) => Date.parse(at) >= floorTo(span.from, MINUTE_MS) && Date.parse(at) < span.to);

const floorTo = (time: number, step: number): number => Math.floor(time / step) * step;

/** One point a bucket of `interval_minutes` that saw requests, in order. */
export const seriesOf = (minutes: readonly ServedMinute[], interval_minutes: number): (Figures & { at: string })[] => {
  const step = interval_minutes * MINUTE_MS;
  const byBucket = Map.groupBy(minutes, ({ at }) => floorTo(Date.parse(at), step));
  return [...byBucket]
    .sort(([a], [b]) => a - b)
    .map(([start, group]) => ({ at: new Date(start).toISOString(), ...figuresOf(group) }));
};
