import type { InputError, RejectionKind } from '../../errors.ts';
import { isHistoryDamaged, Rejected, WrongExpectedRevision } from '../../errors.ts';
import { codeOf } from '../../failures/failure-code.ts';
import { ServiceFailure } from '../../ports/service-invoker.ts';
import { RequestInProgress } from '../../postgres/repeated-answers.ts';

/**
 * Maps each kind of refusal to its HTTP status and the status's name in RFC 9110. No other code knows status numbers.
 */
const REFUSALS: Readonly<Record<RejectionKind, { status: number; title: string }>> = {
  malformed: { status: 400, title: 'Bad Request' },
  unauthenticated: { status: 401, title: 'Unauthorized' },
  forbidden: { status: 403, title: 'Forbidden' },
  'not-found': { status: 404, title: 'Not Found' },
  conflict: { status: 409, title: 'Conflict' },
  stale: { status: 412, title: 'Precondition Failed' },
  'too-large': { status: 413, title: 'Content Too Large' },
  unsupported: { status: 415, title: 'Unsupported Media Type' },
  invalid: { status: 422, title: 'Unprocessable Content' },
  'too-many': { status: 429, title: 'Too Many Requests' },
  unavailable: { status: 503, title: 'Service Unavailable' },
};

/** Refusals that have no meaning outside HTTP. */
const HTTP_REFUSALS = {
  'unknown-path': { status: 404, title: 'Not Found' },
  'method-not-allowed': { status: 405, title: 'Method Not Allowed' },
  'upgrade-required': { status: 426, title: 'Upgrade Required' },
  'not-offered': { status: 501, title: 'Not Implemented' },
  'service-refused': { status: 502, title: 'Bad Gateway' },
  'internal-error': { status: 500, title: 'Internal Server Error' },
} as const;
type HttpRefusalCode = keyof typeof HTTP_REFUSALS;

/** A refusal that has no meaning outside HTTP: an unknown path, a method that a path does not have. */
export class HttpRefusal extends Error {
  readonly code: HttpRefusalCode;
  readonly headers: Readonly<Record<string, string>>;
  readonly hint: string | undefined;

  constructor(
    code: HttpRefusalCode,
    message: string,
    options: { headers?: Record<string, string>; hint?: string } = {},
  ) {
    super(message);
    this.name = 'HttpRefusal';
    this.code = code;
    this.headers = options.headers ?? {};
    this.hint = options.hint;
  }
}

/** An RFC 9457 problem document, ready to be sent. */
export interface Problem {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: Readonly<Record<string, unknown>>;
  /** True for what an operator must see: an unexpected error, or a damaged history. */
  unexpected: boolean;
}

export const PROBLEM_TYPE = 'application/problem+json';

interface ProblemFacts {
  status: number;
  title: string;
  code: string;
  detail: string;
  hint?: string | undefined;
  errors?: readonly InputError[];
  extra?: Readonly<Record<string, unknown>>;
}

const bodyOf = ({ status, title, code, detail, hint, errors = [], extra = {} }: ProblemFacts, requestId: string) => ({
  // `extra` comes first, so that it cannot overwrite a standard member.
  ...extra,
  type: `urn:budapp:problem:${code}`,
  title,
  status,
  detail,
  code,
  ...(hint === undefined ? {} : { hint }),
  ...(errors.length === 0 ? {} : { errors }),
  request_id: requestId,
});

/** The default of `Retry-After` in seconds, where the duration of the outage is unknown. */
const RETRY_AFTER_SECONDS = 5;

const ofRejected = (error: Rejected, requestId: string): Problem => {
  const { status, title } = REFUSALS[error.kind];
  const { code, message, hint, errors, extra } = error;
  const retryAfter = error.retryAfterSeconds ?? (error.kind === 'unavailable' ? RETRY_AFTER_SECONDS : undefined);
  return {
    status,
    headers: {
      ...(error.kind === 'unauthenticated' ? { 'WWW-Authenticate': 'Bearer realm="budapp"' } : {}),
      ...(retryAfter === undefined ? {} : { 'Retry-After': String(Math.ceil(retryAfter)) }),
    },
    body: bodyOf({ status, title, code, detail: message, hint, errors, extra }, requestId),
    unexpected: isHistoryDamaged(error),
  };
};

const ofHttpRefusal = ({ code, message, hint, headers }: HttpRefusal, requestId: string): Problem => {
  const { status, title } = HTTP_REFUSALS[code];
  return {
    status,
    headers,
    body: bodyOf({ status, title, code, detail: message, hint }, requestId),
    unexpected: false,
  };
};

/** Errors of Koa and its libraries carry an HTTP status. */
const ofStatus = (status: number, requestId: string): Problem => {
  const known = Object.entries(REFUSALS).find(([, refusal]) => refusal.status === status);
  const [code, title] = known ? [known[0], known[1].title] : ['malformed', REFUSALS.malformed.title];
  const facts = { status: known ? status : REFUSALS.malformed.status, title, code, detail: `${title}.` };
  return { status: facts.status, headers: {}, body: bodyOf(facts, requestId), unexpected: false };
};

/**
 * Node's and PostgreSQL's codes for a server that cannot be reached now: a restart, a fail-over, too many connections.
 */
const PASSING_CODES = /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|08\w{3}|53\w{3}|57P\w{2})$/;

const isTransient = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false;
  if (PASSING_CODES.test(codeOf(error))) return true;
  return error.cause !== undefined && isTransient(error.cause);
};

const asRefusal = (error: unknown): Rejected | HttpRefusal | null => {
  if (error instanceof Rejected || error instanceof HttpRefusal) return error;
  if (error instanceof WrongExpectedRevision) {
    return new Rejected('conflict', 'concurrent-change', 'Concurrent requests kept changing the resource.', {
      hint: 'Try again.',
      retryAfterSeconds: 1,
    });
  }
  if (error instanceof RequestInProgress) {
    const message = 'The same request is still running.';
    return new Rejected('unavailable', 'request-in-progress', message, { retryAfterSeconds: 1 });
  }
  if (!(error instanceof ServiceFailure)) return null;
  // The service's own text may name internal hosts: it is logged as the cause, and not sent to the caller.
  return error.retryable
    ? new Rejected('unavailable', 'service-unavailable', 'A required service cannot be reached.')
    : new HttpRefusal('service-refused', 'A required service rejected the request.');
};

const clientStatusOf = (error: unknown): number | null => {
  if (!(error instanceof Error) || !('status' in error) || typeof error.status !== 'number') return null;
  const { status } = error;
  return status >= 400 && status < 500 ? status : null;
};

/** Converts any thrown value to a problem document. It never holds a stack trace or the text of an unexpected error. */
export const problemOf = (error: unknown, requestId: string): Problem => {
  const refusal = asRefusal(error);
  if (refusal instanceof Rejected) return ofRejected(refusal, requestId);
  if (refusal) return ofHttpRefusal(refusal, requestId);
  const status = clientStatusOf(error);
  if (status !== null) return ofStatus(status, requestId);
  if (isTransient(error)) {
    const down = new Rejected('unavailable', 'database-unavailable', 'The database cannot be reached.');
    return { ...ofRejected(down, requestId), unexpected: true };
  }
  const detail = 'An unexpected error; it has been logged under this request_id.';
  return { ...ofHttpRefusal(new HttpRefusal('internal-error', detail), requestId), unexpected: true };
};

/** Whether it passes: the log, the database or the identity provider is away for a while. */
export const passes = (error: unknown): boolean => problemOf(error, '').status === REFUSALS.unavailable.status;

/** The HTTP status of a kind of refusal, for the OpenAPI document. */
export const statusOf = (kind: RejectionKind): number => REFUSALS[kind].status;
export const titleOf = (kind: RejectionKind): string => REFUSALS[kind].title;
