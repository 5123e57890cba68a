import { z } from 'zod';
import { ReplicaCounts, Worker } from '../../events/values.ts';

/** The reported fields of an endpoint, which several commands share. */
export const observedFields = {
  replicas: ReplicaCounts,
  ingress_healthy: z.boolean().nullable(),
  workers: z.array(Worker),
};
