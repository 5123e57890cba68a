import { z } from 'zod';

/**
 * What the local cluster's ingress saw of one namespace (`GET /serve-metrics?namespace=`, not in the platform's contract):
 * one item a minute that had requests, of the last hour.
 */
export const ServeMetrics = z.looseObject({
  namespace: z.string(),
  minutes: z.array(
    z.looseObject({
      /** Start of the minute, RFC 3339. */
      at: z.iso.datetime(),
      /** Inference requests. Metadata, health and the service's own checks are not counted. */
      requests: z.number(),
      /** Answered with 4xx. A service of before did not tell them apart. */
      client_errors: z.number().default(0),
      /** Answered with 5xx, or aborted. */
      failures: z.number(),
      latency_ms_sum: z.number(),
      latency_ms_max: z.number(),
      /** Not cumulative, ascending; `le` is the upper bound in ms, null what is above the last one. */
      buckets: z.array(z.object({ le: z.number().nullable(), count: z.number() })),
    }),
  ),
});
export type ServeMetrics = z.infer<typeof ServeMetrics>;
export type ServedMinute = ServeMetrics['minutes'][number];
