import type { Reason } from '../events/values.ts';
import type { EndpointRow } from './endpoints.ts';

const STOPPED: Reason = {
  code: 'stopped',
  message: 'The endpoint has no replicas. Scale it up to start it again.',
};

/** What a scaling is doing, for a person. */
export const scalingText = ({
  previous_replicas,
  replicas,
}: {
  previous_replicas: number;
  replicas: number;
}): string => {
  if (replicas === 0) return 'The cluster is stopping all replicas.';
  return previous_replicas === 0
    ? `Starting ${replicas} ${replicas === 1 ? 'replica' : 'replicas'}.`
    : `From ${previous_replicas} to ${replicas} replicas.`;
};

/** The state of an endpoint that is as desired: with 0 replicas it is stopped. */
export const scaledTo = (
  replicas: number,
  at: string,
): Pick<EndpointRow, 'status' | 'reason' | 'since' | 'deadline'> => ({
  ...(replicas === 0 ? { status: 'stopped', reason: STOPPED } : { status: 'running', reason: null }),
  since: at,
  deadline: null,
});
