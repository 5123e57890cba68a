/** The claims that identify an access token. Times are seconds since 1970. */
export interface TokenIdentity {
  /** Token ids are unique per issuer only, so another realm cannot make this one's tokens count as revoked. */
  issuer: string;
  token_id: string;
  /** The session of the token; null where the provider does not name it. */
  session_id: string | null;
  subject: string;
  issued_at: number;
  expires_at: number;
}

/** A session that has ended at the provider, or, with `session_id` null, all sessions of a subject. */
export interface EndedSession {
  issuer: string;
  session_id: string | null;
  subject: string | null;
  /** When it ended, in seconds since 1970. */
  ended_at: number;
  /** Id and expiry of the logout message, which is accepted only once. */
  message_id: string;
  message_expires_at: number;
}

/** One token, or all tokens of a session or a subject that were issued until a time. Times are seconds since 1970. */
export interface Revocation {
  /** `<issuer>#token:<jti>`, `<issuer>#session:<sid>`, `<issuer>#subject:<sub>` */
  key: string;
  /** When the last of the revoked tokens has expired. */
  expires_at: number;
  /** Null where the issue time does not matter. */
  issued_until: number | null;
}

/**
 * Maximum lifetime of an access token, which the verifier enforces, so that the end of a session need not be kept
 * longer.
 */
export const LONGEST_TOKEN_SECONDS = 24 * 60 * 60;

const tokenKey = (issuer: string, id: string): string => `${issuer}#token:${id}`;
const sessionKey = (issuer: string, id: string): string => `${issuer}#session:${id}`;
const subjectKey = (issuer: string, id: string): string => `${issuer}#subject:${id}`;

/** The key of a logout message, which is accepted only once. */
export const messageKey = ({ issuer, message_id }: EndedSession): string => `${issuer}#logout:${message_id}`;

/** The keys under which the token may have been revoked. */
export const keysOf = ({ issuer, token_id, session_id, subject }: TokenIdentity): string[] => [
  tokenKey(issuer, token_id),
  ...(session_id === null ? [] : [sessionKey(issuer, session_id)]),
  subjectKey(issuer, subject),
];

/** Whether a revocation under one of the token's keys applies to the token. */
export const appliesTo = (revocation: Revocation, { issued_at }: TokenIdentity): boolean =>
  revocation.issued_until === null || issued_at <= revocation.issued_until;

/**
 * Revokes the token and all others that its session got until `now` (by the provider's clock, in seconds since 1970).
 */
export const revocationsOf = (token: TokenIdentity, now: number): Revocation[] => {
  const { issuer, token_id, session_id, issued_at, expires_at } = token;
  const one: Revocation = { key: tokenKey(issuer, token_id), expires_at, issued_until: null };
  if (session_id === null) return [one];
  const issued_until = Math.max(now, issued_at);
  // The session's newest token was issued at `now` at the latest, and has the same lifetime as this one.
  const newestExpiry = issued_until + (expires_at - issued_at);
  return [one, { key: sessionKey(issuer, session_id), expires_at: newestExpiry, issued_until }];
};

export const revocationOfEnded = ({ issuer, session_id, subject, ended_at }: EndedSession): Revocation => ({
  key: session_id === null ? subjectKey(issuer, subject ?? '') : sessionKey(issuer, session_id),
  expires_at: ended_at + LONGEST_TOKEN_SECONDS,
  issued_until: ended_at,
});

/** Merges two revocations under one key: the result revokes what either of them does. */
export const mergedRevocation = (a: Revocation, b: Revocation): Revocation => ({
  key: a.key,
  expires_at: Math.max(a.expires_at, b.expires_at),
  issued_until: a.issued_until === null || b.issued_until === null ? null : Math.max(a.issued_until, b.issued_until),
});
