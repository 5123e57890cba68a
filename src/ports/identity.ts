import type { TenantId } from '../events/ids.ts';
import type { Closable } from './closable.ts';

/** The claims of an access token whose signature, issuer, audience and expiry have been verified. */
export interface Claims {
  subject: string;
  tenant_id: TenantId;
  email: string;
  name: string;
  /** Null where the token is for another client and has no roles or groups. */
  role: 'admin' | 'developer' | 'viewer' | null;
  /** When the token was issued, in seconds since 1970 by the provider's clock. */
  issued_at: number;
  expires_at: number;
  token_id: string;
}

export interface Tokens {
  access_token: string;
  refresh_token: string;
  token_type: 'Bearer';
  /** Seconds until the access token expires. */
  expires_in: number;
}

/** The state of a browser's sign-in, to be kept until the browser returns. */
export interface PendingSignIn {
  state: string;
  code_verifier: string;
  redirect_uri: string;
  realm: string;
}

/** The identity provider, over OpenID Connect. It may have several realms, each with its own users. */
export interface Identity extends Closable {
  /**
   * `realm`: default the first. Throws `Rejected` `unauthenticated` with code `invalid-credentials`, `invalid` with code
   * `unknown-realm`.
   */
  login(credentials: { email: string; password: string; realm?: string | undefined }): Promise<Tokens>;
  /** Throws `Rejected` `unauthenticated` with code `invalid-refresh-token`. */
  refresh(refreshToken: string): Promise<Tokens>;
  /** Ends the session: revokes the refresh token, and refuses the access token from now on. */
  logout(tokens: { access_token: string; refresh_token?: string | undefined }): Promise<void>;
  /**
   * Ends a session that has ended at the provider (OpenID Connect Back-Channel Logout 1.0): refuses its access tokens
   * from now on, or all tokens of its user where the logout token names no session. Throws `Rejected` `malformed` with
   * code `invalid-logout-token`.
   */
  endSession(logoutToken: string): Promise<void>;
  /** Throws `Rejected` `unauthenticated` with code `invalid-token`, `expired-token` or `revoked-token`. */
  verify(accessToken: string): Promise<Claims>;
  /**
   * Starts an authorization code flow with PKCE: returns the URL for the browser, and the state to keep until it
   * returns. `realm`: default the first. Throws `Rejected` `invalid` with code `unknown-realm` or
   * `unknown-redirect-uri`.
   */
  authorizationUrl(options: {
    redirect_uri: string;
    realm?: string | undefined;
  }): Promise<PendingSignIn & { url: string }>;
  /** Throws `Rejected` `unauthenticated` with code `invalid-authorization-code`. */
  exchangeCode(pending: PendingSignIn & { callback_url: string }): Promise<Tokens>;
}
