import { ResponseBodyError, WWWAuthenticateChallengeError } from 'openid-client';
import type { Logger } from 'pino';
import { Rejected } from '../../errors.ts';
import { createThrottle } from '../../resilience/throttle.ts';

const LOG_EVERY_MS = 60_000;

export const identityUnavailable = (cause: unknown): Rejected =>
  new Rejected('unavailable', 'identity-unavailable', 'The identity provider cannot be reached; try again shortly.', {
    retryAfterSeconds: 5,
    cause,
  });

/** The refusal of credentials, a token or a code by the provider. */
export interface CredentialRefusal {
  code: string;
  message: string;
  hint?: string;
}

export const unauthenticated = ({ code, message, hint }: CredentialRefusal, cause?: unknown): Rejected =>
  new Rejected('unauthenticated', code, message, { cause, ...(hint === undefined ? {} : { hint }) });

const secondsToWait = (error: ResponseBodyError): number => {
  const seconds = Number(error.response.headers.get('retry-after'));
  return Number.isInteger(seconds) && seconds > 0 ? seconds : 30;
};

const tooMany = (error: ResponseBodyError): Rejected => {
  const seconds = secondsToWait(error);
  const message = `Too many failed attempts; try again in ${seconds} s.`;
  return new Rejected('too-many', 'too-many-attempts', message, { retryAfterSeconds: seconds, cause: error });
};

const CLIENT_ERRORS = ['invalid_client', 'unauthorized_client', 'invalid_scope'];

/** Whether the provider refuses BudApp's client, and not the user. */
const refusesClient = (error: unknown): boolean =>
  error instanceof WWWAuthenticateChallengeError ||
  (error instanceof ResponseBodyError && CLIENT_ERRORS.includes(error.error));

/**
 * Converts an error of the provider to the caller's refusal: `refused` where the provider refuses the credentials,
 * token or code. Any other error (no connection, time-out, 5xx, BudApp's client refused) is not the caller's fault. A
 * refused client is logged with the settings to check, for the operator.
 */
export const createRefusals = ({ log }: { log: Logger }) => {
  const throttled = createThrottle({ every_ms: LOG_EVERY_MS });

  const unavailable = (error: unknown): Rejected => {
    if (error instanceof Rejected) return error;
    if (refusesClient(error)) {
      throttled(() =>
        log.error(
          { err: error },
          'the identity provider refuses BudApp as a client, so nobody can log in; look at KEYCLOAK_CLIENT_ID and KEYCLOAK_CLIENT_SECRET, and whether the client may use direct access grants and has the scopes email and profile',
        ),
      );
    }
    return identityUnavailable(error);
  };

  return {
    unavailable,
    ofGrant(error: unknown, refused: CredentialRefusal): Rejected {
      if (!(error instanceof ResponseBodyError)) return unavailable(error);
      if (error.status === 429) return tooMany(error);
      if (error.error !== 'invalid_grant') return unavailable(error);
      return unauthenticated(refused, error);
    },
  };
};
