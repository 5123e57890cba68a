/** How long each state that is not final may last, in seconds. */
export interface Deadlines {
  /** From the request to running; also how long scaling may take. */
  deployment: number;
  placement: number;
  deletion: number;
  model_onboarding: number;
  cluster_onboarding: number;
  /** How long an endpoint may be degraded, or a cluster unavailable, before it is looked into again. */
  degraded: number;
}

/** The same as the defaults of the settings (`*_DEADLINE_SECONDS`). */
export const DEFAULT_DEADLINES: Deadlines = {
  deployment: 900,
  placement: 120,
  deletion: 300,
  model_onboarding: 600,
  cluster_onboarding: 600,
  degraded: 600,
};

/** The time, RFC 3339, so many seconds after `now`. */
export const deadlineAfter = (now: string, seconds: number): string =>
  new Date(Date.parse(now) + seconds * 1000).toISOString();
