import { ResponseBodyError } from 'openid-client';
import { Rejected } from '../errors.ts';

export const identityUnavailable = (cause: unknown): Rejected =>
  new Rejected('unavailable', 'identity-unavailable', 'The identity provider cannot be reached; try again shortly.', {
    retryAfterSeconds: 5,
    cause,
  });

/** What the caller is told when the provider refuses what they brought. */
export interface Refusal {
  code: string;
  message: string;
}

export const unauthenticated = ({ code, message }: Refusal, cause?: unknown): Rejected =>
  new Rejected('unauthenticated', code, message, { cause });

const secondsToWait = (error: ResponseBodyError): number => {
  const seconds = Number(error.response.headers.get('retry-after'));
  return Number.isInteger(seconds) && seconds > 0 ? seconds : 30;
};

const tooMany = (error: ResponseBodyError): Rejected => {
  const seconds = secondsToWait(error);
  const message = `Too many failed attempts; try again in ${seconds} s.`;
  return new Rejected('too-many', 'too-many-attempts', message, { retryAfterSeconds: seconds, cause: error });
};

/**
 * What the provider's answer to a token request means for whoever asked: `refused` where it refuses the credentials,
 * token or code; anything else (no connection, time-out, 5xx, our own client refused) is not the caller's fault.
 */
export const refusalOfGrant = (error: unknown, refused: Refusal): Rejected => {
  if (error instanceof Rejected) return error;
  if (!(error instanceof ResponseBodyError)) return identityUnavailable(error);
  if (error.status === 429) return tooMany(error);
  if (error.error !== 'invalid_grant') return identityUnavailable(error);
  return unauthenticated(refused, error);
};
