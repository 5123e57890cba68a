/** The maximum duration of each state that is not final, in seconds. */
export interface Deadlines {
  /** From the request to running; the same for scaling. */
  deployment: number;
  placement: number;
  deletion: number;
  model_onboarding: number;
  cluster_onboarding: number;
  /** How long one recovery of a degraded endpoint or unavailable cluster may take before the next one starts. */
  degraded: number;
}

/** The defaults of the settings `*_DEADLINE_SECONDS`. */
export const DEFAULT_DEADLINES: Deadlines = {
  deployment: 900,
  placement: 120,
  deletion: 300,
  model_onboarding: 600,
  cluster_onboarding: 600,
  degraded: 600,
};

/** The time that is `seconds` after `now`, RFC 3339. */
export const deadlineAfter = (now: string, seconds: number): string =>
  new Date(Date.parse(now) + seconds * 1000).toISOString();
