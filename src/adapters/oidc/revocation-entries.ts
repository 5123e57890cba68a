/** What tells an access token from all others. Times are seconds since 1970. */
export interface TokenIdentity {
  /** Ids are the issuer's own: another realm cannot name its tokens so that ours are refused. */
  issuer: string;
  token_id: string;
  /** The session that it belongs to; null where the provider does not say. */
  session_id: string | null;
  subject: string;
  issued_at: number;
  expires_at: number;
}

/** What the provider says has ended: a session, or (`session_id` null) all sessions of a subject. */
export interface EndedSession {
  issuer: string;
  session_id: string | null;
  subject: string | null;
  /** When it ended; seconds since 1970. */
  ended_at: number;
  /** The message that said so, which counts once, and until when it could come again. */
  message_id: string;
  message_expires_at: number;
}

/** One token, or all tokens of a session or a subject that were issued until a time. Times are seconds since 1970. */
export interface Revocation {
  /** `<issuer>#token:<jti>`, `<issuer>#session:<sid>`, `<issuer>#subject:<sub>` */
  key: string;
  /** From then on none of the tokens would be accepted anyway. */
  expires_at: number;
  /** null: whenever it was issued. */
  issued_until: number | null;
}

/** No access token of a realm lives longer (the verifier refuses it), so that a session's end need not be kept longer. */
export const LONGEST_TOKEN_SECONDS = 24 * 60 * 60;

const tokenKey = (issuer: string, id: string): string => `${issuer}#token:${id}`;
const sessionKey = (issuer: string, id: string): string => `${issuer}#session:${id}`;
const subjectKey = (issuer: string, id: string): string => `${issuer}#subject:${id}`;

/** Under which a logout message is remembered, so that it counts once. */
export const messageKey = ({ issuer, message_id }: EndedSession): string => `${issuer}#logout:${message_id}`;

/** What could refuse the token. */
export const keysOf = ({ issuer, token_id, session_id, subject }: TokenIdentity): string[] => [
  tokenKey(issuer, token_id),
  ...(session_id === null ? [] : [sessionKey(issuer, session_id)]),
  subjectKey(issuer, subject),
];

/** Whether what was revoked under one of the token's keys meets this token. */
export const meets = (revocation: Revocation, { issued_at }: TokenIdentity): boolean =>
  revocation.issued_until === null || issued_at <= revocation.issued_until;

/** The token, and all others that its session was given until `now` (the provider's, in seconds since 1970). */
export const revocationsOf = (token: TokenIdentity, now: number): Revocation[] => {
  const { issuer, token_id, session_id, issued_at, expires_at } = token;
  const one: Revocation = { key: tokenKey(issuer, token_id), expires_at, issued_until: null };
  if (session_id === null) return [one];
  const issued_until = Math.max(now, issued_at);
  // The session's newest token was issued at the latest now, and lives as long as this one.
  const newestExpiry = issued_until + (expires_at - issued_at);
  return [one, { key: sessionKey(issuer, session_id), expires_at: newestExpiry, issued_until }];
};

export const revocationOfEnded = ({ issuer, session_id, subject, ended_at }: EndedSession): Revocation => ({
  key: session_id === null ? subjectKey(issuer, subject ?? '') : sessionKey(issuer, session_id),
  expires_at: ended_at + LONGEST_TOKEN_SECONDS,
  issued_until: ended_at,
});

/** Two revocations under one key: whatever either of them refuses. */
export const mergedRevocation = (a: Revocation, b: Revocation): Revocation => ({
  key: a.key,
  expires_at: Math.max(a.expires_at, b.expires_at),
  issued_until: a.issued_until === null || b.issued_until === null ? null : Math.max(a.issued_until, b.issued_until),
});
