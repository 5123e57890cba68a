import { z } from 'zod';
import { observedFields } from '../../commands/endpoint/observed.ts';
import { Reason } from '../../events/values.ts';
import { DeployedSpec } from './deployed-spec.ts';

export const ScalingSpec = DeployedSpec.extend({ previous_replicas: z.int() });
export type ScalingSpec = z.output<typeof ScalingSpec>;

export const ScalingState = z.discriminatedUnion('phase', [
  z.object({ phase: z.literal('reserving'), wanted: ScalingSpec }),
  z.object({
    phase: z.literal('adding'),
    wanted: ScalingSpec,
    /** The cluster service's own workflow; an earlier version did not store it. */
    service_workflow_id: z.string().nullable().default(null),
  }),
  z.object({
    phase: z.literal('removing'),
    wanted: ScalingSpec,
    /** The worker whose deletion was requested last. The next one is requested after a recount without it. */
    worker_id: z.string().nullable(),
  }),
  z.object({
    /** Enough replicas are removed. Whichever comes first on the workflow's stream counts: this step, or a request to cancel. */
    phase: z.literal('confirming'),
    wanted: ScalingSpec,
    observed: z.object(observedFields),
  }),
  z.object({ phase: z.literal('recording'), wanted: ScalingSpec }),
  z.object({
    phase: z.literal('undoing'),
    wanted: ScalingSpec,
    abort: z.object({ reason: Reason, ending: z.enum(['failed', 'cancelled']) }),
    /** The cluster service's own workflow that is to be stopped; null: none is known, or it has stopped. */
    service_workflow_id: z.string().nullable(),
    attempt: z.int(),
  }),
]);
export type ScalingState = z.output<typeof ScalingState>;
export type In<Phase extends ScalingState['phase']> = Extract<ScalingState, { phase: Phase }>;
