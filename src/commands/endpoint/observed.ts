import { z } from 'zod';
import { ReplicaCounts, Worker } from '../../events/values.ts';

/** What the cluster reports of an endpoint; fields that several commands share. */
export const observedFields = {
  replicas: ReplicaCounts,
  ingress_healthy: z.boolean().nullable(),
  workers: z.array(Worker),
};
