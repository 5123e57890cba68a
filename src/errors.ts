/** The kind of a refusal; only `api/http/problem.ts` maps it to a status number. */
export type RejectionKind =
  | 'malformed' // the request cannot be parsed
  | 'invalid' // the request can be parsed, but its content breaks a rule
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'conflict' // the domain refuses in the current state
  | 'stale' // If-Match names another revision
  | 'too-large'
  | 'unsupported'
  | 'too-many'
  | 'unavailable'; // the request is fine; try again later

/** One error in an input: an RFC 6901 pointer to it, and a sentence. */
export interface InputError {
  pointer: string;
  detail: string;
}

export interface RejectionOptions {
  hint?: string;
  errors?: readonly InputError[];
  /** Further members of the problem document, for example the endpoints that prevent a deletion. */
  extra?: Readonly<Record<string, unknown>>;
  retryAfterSeconds?: number;
  cause?: unknown;
}

/** The error of every refusal. `code` is stable and machine-readable. */
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

/** The refusal of a position that is not one of this log: it is from before a cut-over, or invalid. */
export const unknownPosition = (position: string) =>
  new Rejected('invalid', 'unknown-position', `${position} is not a position of this log.`, {
    hint: 'It may be from before the log was moved to another system. Read again, and continue from the position of that answer.',
  });

/** True where a log has no such position, or another event there: it is of another history. */
export const isUnknownPosition = (error: unknown): boolean =>
  error instanceof Rejected && error.code === 'unknown-position';

/**
 * Somebody other than BudApp has deleted, cut or changed the stream of a resource. A conflict, not an error of the server:
 * sending the request again does not help, and all other resources are as well as ever.
 */
export const historyDamaged = (stream: string, what: string, cause?: unknown) =>
  rejected('history-damaged', `The history of this resource is damaged in the log: ${stream}: ${what}.`, {
    hint: 'An operator must look at it: see "A damaged history" in docs/operations.md.',
    ...(cause === undefined ? {} : { cause }),
  });

export const isHistoryDamaged = (error: unknown): boolean =>
  error instanceof Rejected && error.code === 'history-damaged';

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

/** A revision, from 0 on, or a condition on the whole stream. */
export type ExpectedRevision = number | 'none' | 'exists' | 'any';

/**
 * A system that BudApp works with cannot be used as configured. `settings` names the settings to check, which the
 * message repeats. `transient` is true where the system may be usable soon (a server that does not answer yet), so a
 * start waits for it; false where waiting does not help (a wrong password, a missing bucket).
 */
export class SystemUnusable extends Error {
  readonly system: string;
  readonly settings: readonly string[];
  readonly transient: boolean;

  constructor(
    system: string,
    problem: string,
    options: { settings: readonly string[]; transient: boolean; cause?: unknown },
  ) {
    super(
      `${system} ${problem}. Look at ${options.settings.join(', ')}.`,
      options.cause === undefined ? {} : { cause: options.cause },
    );
    this.name = 'SystemUnusable';
    this.system = system;
    this.settings = options.settings;
    this.transient = options.transient;
  }
}
