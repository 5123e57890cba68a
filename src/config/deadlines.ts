import { z } from 'zod';
import { integer } from './setting-kinds.ts';

const DAY_SECONDS = 24 * 60 * 60;

/** How long the workflows may take. */
export const DeadlineSettings = z.object({
  DEPLOYMENT_DEADLINE_SECONDS: integer(1, DAY_SECONDS).prefault('900'),
  PLACEMENT_DEADLINE_SECONDS: integer(1, DAY_SECONDS).prefault('120'),
  DELETION_DEADLINE_SECONDS: integer(1, DAY_SECONDS).prefault('300'),
  MODEL_ONBOARDING_DEADLINE_SECONDS: integer(1, DAY_SECONDS).prefault('600'),
  CLUSTER_ONBOARDING_DEADLINE_SECONDS: integer(1, DAY_SECONDS).prefault('600'),
});

export const deadlinesOf = (env: z.output<typeof DeadlineSettings>) => ({
  /** Seconds after which a process gives up that has not reached its end. */
  deadlines: {
    deployment: env.DEPLOYMENT_DEADLINE_SECONDS,
    placement: env.PLACEMENT_DEADLINE_SECONDS,
    deletion: env.DELETION_DEADLINE_SECONDS,
    model_onboarding: env.MODEL_ONBOARDING_DEADLINE_SECONDS,
    cluster_onboarding: env.CLUSTER_ONBOARDING_DEADLINE_SECONDS,
  },
});
