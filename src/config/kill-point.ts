import { z } from 'zod';
import { isKillPoint } from '../resilience/kill-point.ts';

/** `<point>` or `<point>@<passes>`. */
const parse = (text: string) => {
  const [point = '', passes = '0'] = text.split('@');
  return isKillPoint(point) && /^\d{1,6}$/.test(passes) ? { point, passes: Number(passes) } : null;
};

/** For tests: where this process ends by SIGKILL. */
export const KillPointSettings = z.object({
  KILL_POINT: z
    .string()
    .refine((text) => parse(text) !== null, 'must be the name of a kill point, with @<passes> at most')
    .optional(),
});

export const killPointOf = (env: z.output<typeof KillPointSettings>) => ({
  kill_point: env.KILL_POINT === undefined ? null : parse(env.KILL_POINT),
});

export const killPointRules = (env: { NODE_ENV: string; KILL_POINT?: string | undefined } | undefined): string[] =>
  env?.KILL_POINT !== undefined && env.NODE_ENV === 'production'
    ? ['KILL_POINT is for tests: with NODE_ENV=production it must not be set']
    : [];
