import { z } from 'zod';
import { DeployedSpec } from './deployed-spec.ts';

export const RepairSpec = DeployedSpec.extend({ known_workers: z.array(z.string()) });
export type RepairSpec = z.output<typeof RepairSpec>;

const wanted = RepairSpec;
/** The cluster service's own workflow; its result can come before its answer. */
const service_workflow_id = z.string().nullable();

export const Repairing = z.discriminatedUnion('phase', [
  z.object({
    phase: z.literal('counting'),
    wanted,
    /** Replicas were added once: the cluster service takes a further request of the same workflow for a repeated one. */
    added: z.boolean(),
    /** The worker whose deletion was requested last. The next one is requested after a recount without it. */
    worker_id: z.string().nullable(),
  }),
  z.object({ phase: z.literal('adding'), wanted, service_workflow_id }),
  z.object({ phase: z.literal('deploying'), wanted, service_workflow_id }),
  z.object({
    phase: z.literal('recording'),
    wanted,
    /** Where it was deployed anew; null where it is where it was. */
    moved_to: z.string().nullable(),
  }),
  /** The workflow has ended without success. A deployment that is reported later is deleted. */
  z.object({ phase: z.literal('over'), wanted, deleted: z.string().nullable() }),
]);
export type Repairing = z.output<typeof Repairing>;
export type In<Phase extends Repairing['phase']> = Extract<Repairing, { phase: Phase }>;

/** `repair` is null while there is none. */
export const RepairState = z.object({ repair: Repairing.nullable() });
export type RepairState = z.output<typeof RepairState>;
