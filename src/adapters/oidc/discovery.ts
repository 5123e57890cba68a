import * as oidc from 'openid-client';
import { z } from 'zod';
import { SystemUnusable } from '../../errors.ts';
import { innerCodeOf } from '../../failures/failure-code.ts';
import { tlsFaultOf } from '../certificates.ts';

/** A realm of the identity provider: an issuer with its own users and keys. */
export interface RealmAddress {
  name: string;
  /** The issuer in its tokens, at which browsers reach it. */
  issuer_url: string;
  /** The URL at which this process reaches it; default: `issuer_url`. */
  reached_at?: string | undefined;
}

export interface OidcClientOptions {
  client_id: string;
  client_secret: string;
  /** Allows plain http to another machine: for private networks only. */
  allow_http?: boolean | undefined;
}

export type ReachRealm = (url: string, init: RequestInit) => Promise<Response>;

export interface DiscoveredRealm {
  configuration: oidc.Configuration;
  issuer: string;
  jwks_uri: URL;
  /** Fetches the realm's public URLs via `reached_at`. */
  fetch: ReachRealm;
}

const TIMEOUT_SECONDS = 5;
const CLIENT_METADATA = { [oidc.clockTolerance]: 5 };
const PROBE = 'budapp-start-probe';

const ServerMetadata = z
  .object({
    issuer: z.string(),
    authorization_endpoint: z.string(),
    token_endpoint: z.string(),
    jwks_uri: z.string(),
  })
  .catchall(z.json());
type ServerMetadata = z.output<typeof ServerMetadata>;

const unusable = (problem: string, settings: readonly string[], transient = false, cause?: unknown): SystemUnusable =>
  new SystemUnusable('Keycloak', problem, { settings, transient, ...(cause === undefined ? {} : { cause }) });

const isLoopback = ({ hostname }: URL): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);

const refuseOpenHttp = (address: URL, allowed: boolean | undefined): void => {
  if (address.protocol === 'https:' || isLoopback(address) || allowed === true) return;
  const problem = `at ${address.origin} would be sent passwords over plain http: it must be reached over https, or be on this machine (or, in a private network, KEYCLOAK_ALLOW_HTTP=true)`;
  throw unusable(problem, ['KEYCLOAK_URL', 'KEYCLOAK_ALLOW_HTTP']);
};

/** Rewrites public URLs to `reached_at`, for example to an address inside the cluster's network. */
const locator =
  (issuerUrl: string, reachedAt: string) =>
  (url: string): string =>
    url.startsWith(`${issuerUrl}/`) ? `${reachedAt}${url.slice(issuerUrl.length)}` : url;

const ask = async (url: string, init: RequestInit = {}): Promise<Response> => {
  try {
    return await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_SECONDS * 1000) });
  } catch (error) {
    const { origin } = new URL(url);
    const fault = tlsFaultOf(innerCodeOf(error));
    if (fault) throw unusable(`at ${origin} ${fault.problem}`, ['KEYCLOAK_URL', ...fault.settings], false, error);
    throw unusable(`at ${origin} does not answer`, ['KEYCLOAK_URL'], true, error);
  }
};

const readMetadata = async (realm: RealmAddress, reachedAt: string): Promise<ServerMetadata> => {
  const response = await ask(`${reachedAt}/.well-known/openid-configuration`);
  if (response.status === 404) {
    throw unusable(`has no realm "${realm.name}" at ${reachedAt}`, ['KEYCLOAK_REALM', 'KEYCLOAK_URL']);
  }
  if (response.status !== 200) {
    const transient = response.status >= 500 || response.status === 429;
    throw unusable(`answers ${response.status} at ${reachedAt}`, ['KEYCLOAK_URL'], transient);
  }
  const metadata = ServerMetadata.safeParse(await response.json().catch(() => null));
  if (!metadata.success) {
    throw unusable(`at ${reachedAt} is not an OpenID provider`, ['KEYCLOAK_URL'], false, metadata.error);
  }
  const { issuer } = metadata.data;
  if (issuer === realm.issuer_url) return metadata.data;
  const problem = `names ${issuer} as the issuer of its tokens, not ${realm.issuer_url}: if browsers reach it under another address, set KEYCLOAK_PUBLIC_URL and Keycloak's own setting hostname (KC_HOSTNAME) to that address`;
  throw unusable(problem, ['KEYCLOAK_PUBLIC_URL', 'KEYCLOAK_URL']);
};

const basic = ({ client_id, client_secret }: OidcClientOptions): string =>
  `Basic ${Buffer.from(`${encodeURIComponent(client_id)}:${encodeURIComponent(client_secret)}`).toString('base64')}`;

/** Asks about a token that does not exist: the provider answers only a client that it knows. */
const checkClient = async (endpoint: string, client: OidcClientOptions, realm: RealmAddress): Promise<void> => {
  const response = await ask(endpoint, {
    method: 'POST',
    headers: { authorization: basic(client) },
    body: new URLSearchParams({ token: PROBE }),
  });
  await response.body?.cancel();
  if (response.status !== 401) return;
  throw unusable(
    `refuses the client ${client.client_id} in realm "${realm.name}": it is unknown, or its secret is wrong`,
    ['KEYCLOAK_CLIENT_ID', 'KEYCLOAK_CLIENT_SECRET'],
  );
};

/**
 * Reads the realm's metadata and checks that it knows BudApp's client. Throws `SystemUnusable`: transient where the
 * provider does not answer; not transient for a missing realm, a wrong client or secret, an invalid certificate, or
 * another issuer than expected.
 */
export const discoverRealm = async (realm: RealmAddress, client: OidcClientOptions): Promise<DiscoveredRealm> => {
  const reachedAt = realm.reached_at ?? realm.issuer_url;
  refuseOpenHttp(new URL(reachedAt), client.allow_http);
  const metadata = await readMetadata(realm, reachedAt);
  const locate = locator(realm.issuer_url, reachedAt);
  const { introspection_endpoint } = metadata;
  if (typeof introspection_endpoint === 'string') await checkClient(locate(introspection_endpoint), client, realm);
  const { client_id, client_secret } = client;
  const auth = oidc.ClientSecretBasic(client_secret);
  const configuration = new oidc.Configuration(metadata, client_id, CLIENT_METADATA, auth);
  configuration.timeout = TIMEOUT_SECONDS;
  const reach: ReachRealm = (url, init) => fetch(locate(url), init);
  configuration[oidc.customFetch] = (url, { body = null, ...init }) => reach(url, { ...init, body });
  if ([reachedAt, realm.issuer_url].some((url) => url.startsWith('http:'))) oidc.allowInsecureRequests(configuration);
  return { configuration, issuer: metadata.issuer, jwks_uri: new URL(metadata.jwks_uri), fetch: reach };
};
