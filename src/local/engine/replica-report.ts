import { z } from 'zod';

/** The report of a replica to its parent over the IPC channel: once, whether it serves. */
export const ReplicaReport = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready'), port: z.int().positive() }),
  z.object({ type: z.literal('failed'), reason: z.string() }),
]);
export type ReplicaReport = z.output<typeof ReplicaReport>;
