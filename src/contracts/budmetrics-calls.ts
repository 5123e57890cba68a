import * as contract from './budmetrics.ts';
import { defineCall } from './call.ts';
import { reading, whole } from './call-kinds.ts';

/** The operations of the metrics service that BudApp uses, by name. */
export const budmetricsCalls = {
  'metrics.aggregated': defineCall({
    ...reading,
    app_id: contract.BUDMETRICS,
    method: 'POST',
    path: () => 'observability/metrics/aggregated',
    input: contract.AggregatedMetricsRequest,
    body: whole,
    answer: contract.AggregatedMetricsAnswer,
  }),
  'metrics.time-series': defineCall({
    ...reading,
    app_id: contract.BUDMETRICS,
    method: 'POST',
    path: () => 'observability/metrics/time-series',
    input: contract.TimeSeriesRequest,
    body: whole,
    answer: contract.TimeSeriesAnswer,
  }),
  'metrics.analytics': defineCall({
    ...reading,
    app_id: contract.BUDMETRICS,
    method: 'POST',
    path: () => 'observability/analytics',
    input: contract.TimeSeriesRequest,
    body: whole,
    answer: contract.AnalyticsAnswer,
  }),
} as const;
