/** What kind of refusal it is; `api/http/problem.ts` alone turns it into a status number. */
export type RejectionKind =
  | 'malformed' // the request cannot be read
  | 'invalid' // it can be read, but breaks a rule of its own
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'conflict' // the domain refuses in the state it is in
  | 'stale' // If-Match names another revision
  | 'too-large'
  | 'unsupported'
  | 'too-many'
  | 'unavailable'; // try again later; nothing is wrong with the request

/** One thing wrong with an input: an RFC 6901 pointer into it, and a sentence. */
export interface InputError {
  pointer: string;
  detail: string;
}

export interface RejectionOptions {
  hint?: string;
  errors?: readonly InputError[];
  /** Further members of the problem document, for example the endpoints that are in the way. */
  extra?: Readonly<Record<string, unknown>>;
  retryAfterSeconds?: number;
  cause?: unknown;
}

/** The one domain error: something was refused, in domain words. `code` is stable and machine-readable. */
export class Rejected extends Error {
  readonly kind: RejectionKind;
  readonly code: string;
  readonly hint: string | undefined;
  readonly errors: readonly InputError[];
  readonly extra: Readonly<Record<string, unknown>>;
  readonly retryAfterSeconds: number | undefined;

  constructor(kind: RejectionKind, code: string, message: string, options: RejectionOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'Rejected';
    this.kind = kind;
    this.code = code;
    this.hint = options.hint;
    this.errors = options.errors ?? [];
    this.extra = options.extra ?? {};
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

export const rejected = (code: string, message: string, options?: RejectionOptions) =>
  new Rejected('conflict', code, message, options);

export const notFound = (what: string, id: string) =>
  new Rejected('not-found', `${what}-not-found`, `No ${what} ${id}.`);

/** Of another log: from before the log was moved, or made up. */
export const unknownPosition = (position: string) =>
  new Rejected('invalid', 'unknown-position', `${position} is no position of this log.`, {
    hint: 'It may be from before the log was moved to another system. Read anew, and go on from the position of that answer.',
  });

/** The stream is not at the revision that an append expected; `actual` is null where it has no events. */
export class WrongExpectedRevision extends Error {
  readonly stream: string;
  readonly expected: ExpectedRevision;
  readonly actual: number | null;

  constructor(stream: string, expected: ExpectedRevision, actual: number | null) {
    super(`stream ${stream} is at revision ${actual ?? 'none'}, not at ${expected}`);
    this.name = 'WrongExpectedRevision';
    this.stream = stream;
    this.expected = expected;
    this.actual = actual;
  }
}

/** A revision from 0 on, or what must be true of the stream as a whole. */
export type ExpectedRevision = number | 'none' | 'exists' | 'any';

/**
 * A system that BudApp works with cannot be used as it is set up. `settings` are the names of what to look at; the message
 * says them, too. `passing`: it may well be usable in a moment (nobody answers yet), so a start waits for it; where it is
 * false (a wrong password, a missing bucket) waiting does not help.
 */
export class SystemUnusable extends Error {
  readonly system: string;
  readonly settings: readonly string[];
  readonly passing: boolean;

  constructor(
    system: string,
    problem: string,
    options: { settings: readonly string[]; passing: boolean; cause?: unknown },
  ) {
    super(
      `${system} ${problem}. Look at ${options.settings.join(', ')}.`,
      options.cause === undefined ? {} : { cause: options.cause },
    );
    this.name = 'SystemUnusable';
    this.system = system;
    this.settings = options.settings;
    this.passing = options.passing;
  }
}
