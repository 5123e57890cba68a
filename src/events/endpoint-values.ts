import { z } from 'zod';
import { ReplicaCounts, Worker } from './values.ts';

export const observed = {
  replicas: ReplicaCounts,
  /** Whether requests reach the endpoint's URL; null where the cluster does not report it. */
  ingress_healthy: z.boolean().nullable(),
  workers: z.array(Worker),
};

/** Where the cluster gets the model from: an object key, or the provider's reference. */
export const ModelOrigin = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('artefact'), object_key: z.string(), size_bytes: z.int() }),
  z.object({ kind: z.literal('cloud'), source: z.string(), repo_id: z.string() }),
]);
export type ModelOrigin = z.output<typeof ModelOrigin>;
