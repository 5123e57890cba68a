import type { TenantId } from '../events/ids.ts';
import type { Closable } from './closable.ts';

/** What an access token says, after its signature, issuer, audience and expiry were checked. */
export interface Claims {
  subject: string;
  tenant_id: TenantId;
  email: string;
  name: string;
  /** Null where the token was made for another client and says nothing about roles or groups. */
  role: 'admin' | 'developer' | 'viewer' | null;
  /** Seconds since 1970, by the provider's clock. */
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

/** What a browser's sign-in began with, to be kept until it comes back. */
export interface PendingSignIn {
  state: string;
  code_verifier: string;
  redirect_uri: string;
  realm: string;
}

/** The identity provider, spoken to over OpenID Connect. It may have several realms, each with users of its own. */
export interface Identity extends Closable {
  /**
   * `realm`: default the first. Throws `Rejected` `unauthenticated` with code `invalid-credentials`, `invalid` with code
   * `unknown-realm`.
   */
  login(credentials: { email: string; password: string; realm?: string | undefined }): Promise<Tokens>;
  /** Throws `Rejected` `unauthenticated` with code `invalid-refresh-token`. */
  refresh(refreshToken: string): Promise<Tokens>;
  /** Ends the session: the refresh token is revoked, the access token is refused from now on. */
  logout(tokens: { access_token: string; refresh_token?: string | undefined }): Promise<void>;
  /**
   * The provider says that a session ended (OpenID Connect Back-Channel Logout 1.0): its access tokens are refused from
   * now on, or all of its user's where the logout token names no session. Throws `Rejected` `malformed` with code
   * `invalid-logout-token`.
   */
  endSession(logoutToken: string): Promise<void>;
  /** Throws `Rejected` `unauthenticated` with code `invalid-token`, `expired-token` or `revoked-token`. */
  verify(accessToken: string): Promise<Claims>;
  /**
   * Authorization code with PKCE: where to send the browser, and what to keep until it comes back. `realm`: default the
   * first. Throws `Rejected` `invalid` with code `unknown-realm` or `unknown-redirect-uri`.
   */
  authorizationUrl(options: {
    redirect_uri: string;
    realm?: string | undefined;
  }): Promise<PendingSignIn & { url: string }>;
  /** Throws `Rejected` `unauthenticated` with code `invalid-authorization-code`. */
  exchangeCode(pending: PendingSignIn & { callback_url: string }): Promise<Tokens>;
}
