import type { InputError, RejectionKind } from '../../errors.ts';
import { Rejected, WrongExpectedRevision } from '../../errors.ts';
import { ServiceFailure } from '../../ports/service-invoker.ts';

/** The only place that knows which number stands for which refusal. */
const REFUSALS: Readonly<Record<RejectionKind, { status: number; title: string }>> = {
  malformed: { status: 400, title: 'The request cannot be read' },
  unauthenticated: { status: 401, title: 'Log in first' },
  forbidden: { status: 403, title: 'Not permitted' },
  'not-found': { status: 404, title: 'Not found' },
  conflict: { status: 409, title: 'Refused in the present state' },
  stale: { status: 412, title: 'It has changed in the meantime' },
  'too-large': { status: 413, title: 'Too large' },
  unsupported: { status: 415, title: 'Unsupported content' },
  invalid: { status: 422, title: 'The input breaks its rules' },
  'too-many': { status: 429, title: 'Too many requests' },
  unavailable: { status: 503, title: 'Not available now' },
};

/** Refusals that only HTTP knows. */
const HTTP_REFUSALS = {
  'unknown-path': { status: 404, title: 'Not found' },
  'method-not-allowed': { status: 405, title: 'Method not allowed' },
  'not-offered': { status: 501, title: 'Not offered here' },
  'service-refused': { status: 502, title: 'Another service refused' },
  'internal-error': { status: 500, title: 'Something broke' },
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
  /** True: nobody foresaw it, and whoever sends it has to log it. */
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
  // First, so that no further member can take the name of one of ours.
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

const ofRejected = (error: Rejected, requestId: string): Problem => {
  const { status, title } = REFUSALS[error.kind];
  const { code, message, hint, errors, extra, retryAfterSeconds } = error;
  return {
    status,
    headers: {
      ...(error.kind === 'unauthenticated' ? { 'WWW-Authenticate': 'Bearer realm="budapp"' } : {}),
      ...(retryAfterSeconds === undefined ? {} : { 'Retry-After': String(Math.ceil(retryAfterSeconds)) }),
    },
    body: bodyOf({ status, title, code, detail: message, hint, errors, extra }, requestId),
    unexpected: false,
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

/** Koa's own errors, and those of the parts it is made of, say which status they want. */
const ofStatus = (status: number, requestId: string): Problem => {
  const known = Object.entries(REFUSALS).find(([, refusal]) => refusal.status === status);
  const [code, title] = known ? [known[0], known[1].title] : ['malformed', REFUSALS.malformed.title];
  const facts = { status: known ? status : REFUSALS.malformed.status, title, code, detail: `${title}.` };
  return { status: facts.status, headers: {}, body: bodyOf(facts, requestId), unexpected: false };
};

/** Node's and PostgreSQL's codes for "nobody there now": a restart, a fail-over, too many connections. */
const PASSING_CODES = /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|08\w{3}|53\w{3}|57P\w{2})$/;

const isPassing = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false;
  if ('code' in error && typeof error.code === 'string' && PASSING_CODES.test(error.code)) return true;
  return error.cause !== undefined && isPassing(error.cause);
};

const asRefusal = (error: unknown): Rejected | HttpRefusal | null => {
  if (error instanceof Rejected || error instanceof HttpRefusal) return error;
  if (error instanceof WrongExpectedRevision) {
    return new Rejected('conflict', 'concurrent-change', 'Others keep changing this at the same moment.', {
      hint: 'Try again.',
    });
  }
  if (!(error instanceof ServiceFailure)) return null;
  // What the service said may name hosts of ours: it goes to the log with the cause, not to the caller.
  return error.retryable
    ? new Rejected('unavailable', 'service-unavailable', 'A service that this needs cannot be reached.', {
        retryAfterSeconds: 5,
      })
    : new HttpRefusal('service-refused', 'A service that this needs refused to do its part.');
};

const clientStatusOf = (error: unknown): number | null => {
  if (!(error instanceof Error) || !('status' in error) || typeof error.status !== 'number') return null;
  const { status } = error;
  return status >= 400 && status < 500 ? status : null;
};

/** Whatever was thrown, as a problem document. Never a stack trace, never the text of an unforeseen error. */
export const problemOf = (error: unknown, requestId: string): Problem => {
  const refusal = asRefusal(error);
  if (refusal instanceof Rejected) return ofRejected(refusal, requestId);
  if (refusal) return ofHttpRefusal(refusal, requestId);
  const status = clientStatusOf(error);
  if (status !== null) return ofStatus(status, requestId);
  if (isPassing(error)) {
    const options = { retryAfterSeconds: 5 };
    const down = new Rejected('unavailable', 'database-unavailable', 'The database cannot be reached.', options);
    return { ...ofRejected(down, requestId), unexpected: true };
  }
  const detail = 'An unexpected error; it has been logged under this request_id.';
  return { ...ofHttpRefusal(new HttpRefusal('internal-error', detail), requestId), unexpected: true };
};

/** The status that a kind of refusal is answered with, for the OpenAPI document. */
export const statusOf = (kind: RejectionKind): number => REFUSALS[kind].status;
export const titleOf = (kind: RejectionKind): string => REFUSALS[kind].title;
