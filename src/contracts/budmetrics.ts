import { z } from 'zod';

/** Dapr app id of the metrics service. */
export const BUDMETRICS = 'budmetrics';

const selection = {
  /** Namespaces (deployment names) on the cluster. */
  namespaces: z.array(z.string().min(1)).min(1).max(100),
  /** RFC 3339, inclusive. The local service keeps the last hour. */
  from_date: z.iso.datetime({ offset: true }),
  /** RFC 3339, exclusive; left out: now. */
  to_date: z.iso.datetime({ offset: true }).optional(),
};

/** `POST observability/metrics/aggregated` */
export const AggregatedMetricsRequest = z.strictObject(selection);
export type AggregatedMetricsRequest = z.infer<typeof AggregatedMetricsRequest>;

/** `POST observability/metrics/time-series` and `observability/analytics` (aggregates and series at once): whole minutes a bucket. */
export const TimeSeriesRequest = z.strictObject({
  ...selection,
  interval_minutes: z.int().min(1).max(60).default(1),
});
export type TimeSeriesRequest = z.infer<typeof TimeSeriesRequest>;

/**
 * Figures of the inference requests of one span of time; latencies in milliseconds. Counts are 0 where nothing was seen; rates and latencies are then null, as nothing
 * was measured. Percentiles are upper bounds of histogram buckets.
 */
export const Figures = z.looseObject({
  request_count: z.number().nullish(),
  success_count: z.number().nullish(),
  /** All others: those that the caller got wrong, and those that the endpoint did. */
  failure_count: z.number().nullish(),
  client_error_count: z.number().nullish(),
  server_error_count: z.number().nullish(),
  /** Successes among all requests, 0 to 1. */
  success_rate: z.number().nullish(),
  latency_mean: z.number().nullish(),
  latency_p50: z.number().nullish(),
  latency_p95: z.number().nullish(),
  latency_p99: z.number().nullish(),
  latency_max: z.number().nullish(),
});
export type Figures = z.infer<typeof Figures>;

const Aggregated = Figures.extend({ namespace: z.string() });
const Series = z.looseObject({
  namespace: z.string(),
  points: z.array(Figures.extend({ at: z.string() })),
});

/** One item per requested namespace. */
export const AggregatedMetricsAnswer = z.looseObject({ items: z.array(Aggregated) });

/** One series per namespace; a bucket without requests has no point. */
export const TimeSeriesAnswer = z.looseObject({ items: z.array(Series) });

export const AnalyticsAnswer = z.looseObject({ aggregated: z.array(Aggregated), series: z.array(Series) });
