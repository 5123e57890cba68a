import { z } from 'zod';
import { integer } from './setting-kinds.ts';

const HOUR_SECONDS = 60 * 60;

/** How the clusters are watched. */
export const StatusSettings = z.object({
  STATUS_INTERVAL_SECONDS: integer(1, HOUR_SECONDS).prefault('10'),
  STATUS_SILENCE_SECONDS: integer(1, HOUR_SECONDS).prefault('45'),
});

export const statusOf = (env: z.output<typeof StatusSettings>) => ({
  status: {
    /** The pause between two rounds of questions to the cluster service. */
    interval_ms: env.STATUS_INTERVAL_SECONDS * 1000,
    /** How old the last report may be. */
    silence_ms: env.STATUS_SILENCE_SECONDS * 1000,
  },
});

/** The last report is at least as old as the pause between two. */
export const statusRules = (env: z.output<typeof StatusSettings> | undefined): string[] =>
  env && env.STATUS_SILENCE_SECONDS < 2 * env.STATUS_INTERVAL_SECONDS
    ? ['STATUS_SILENCE_SECONDS must be at least twice STATUS_INTERVAL_SECONDS']
    : [];
