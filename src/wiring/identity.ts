import type { Pool } from 'pg';
import { createOidcIdentity, type OidcRealmSetup } from '../adapters/oidc/identity.ts';
import { tenantOfRealm } from '../adapters/oidc/realm-tenant.ts';
import { repeatableIdentity } from '../adapters/oidc/repeatable-identity.ts';
import { LONGEST_TOKEN_SECONDS } from '../adapters/oidc/revocation-entries.ts';
import type { Revocations } from '../adapters/oidc/revocations.ts';
import type { Config } from '../config/config.ts';
import type { Dependency } from '../ports/dependency.ts';
import type { Identity } from '../ports/identity.ts';
import { createRepeatedAnswers } from '../postgres/repeated-answers.ts';
import { probe } from './probe.ts';
import type { SystemNeeds } from './systems.ts';

/** Creates a user at the identity provider. Throws `Rejected` where it refuses the data. */
export type RegisterIdentity = (user: { email: string; password: string; name: string }) => Promise<void>;

export interface OpenedIdentity {
  identity: Identity;
  /** null: the provider has a registration of its own. */
  register: RegisterIdentity | null;
  dependency: Dependency;
  /** The admin's password, where this start generated it. */
  generated_password: string | null;
}

interface Needs extends SystemNeeds {
  revocations: Revocations;
  public_url: string;
  pool: Pool;
}

const dependencyOf = (implementation: string, realmUrls: readonly string[]): Omit<Dependency, 'stand_in'> => ({
  name: 'identity',
  implementation,
  needed: false,
  check: async () => {
    for (const url of realmUrls) await probe(`${url}/.well-known/openid-configuration`);
  },
});

const openLocal = async (
  config: Config,
  { closing, logger, revocations, public_url }: Needs,
): Promise<OpenedIdentity> => {
  const { createLocalIdentityProvider } = await import('../local/identity/local-identity-provider.ts');
  const { DEFAULT_TENANT_ID } = await import('../local/identity/default-tenant.ts');
  const redirect_uris = [`${public_url}/auth/callback`];
  const provider = await createLocalIdentityProvider({
    data_dir: config.data_dir,
    admin: config.admin,
    lifetimes: config.token_lifetimes,
    reuse_seconds: config.refresh_grace_seconds,
    redirect_uris,
    log: logger,
  });
  closing.add('local identity provider', provider);
  const { issuer_url, client_id, client_secret, generated_password } = provider;
  const identity = await createOidcIdentity({
    realms: [{ name: 'local', issuer_url, tenant: { by: 'claim', default_tenant_id: DEFAULT_TENANT_ID } }],
    client_id,
    client_secret,
    redirect_uris,
    revocations,
    log: logger,
  });
  return {
    identity,
    register: async (user) => {
      await provider.createUser({ ...user, role: 'developer' });
    },
    dependency: { ...dependencyOf(`local OpenID provider at ${issuer_url}`, [issuer_url]), stand_in: true },
    generated_password,
  };
};

type Keycloak = NonNullable<Config['keycloak']>;

/** A single realm may hold several tenants, which a claim tells apart. Of several realms, each is one tenant. */
const realmSetup = ({ url, public_url, realms }: Keycloak, name: string): OidcRealmSetup => {
  const path = `/realms/${encodeURIComponent(name)}`;
  const tenant_id = tenantOfRealm(name);
  return {
    name,
    issuer_url: `${public_url}${path}`,
    reached_at: `${url}${path}`,
    tenant: realms.length > 1 ? { by: 'realm', tenant_id } : { by: 'claim', default_tenant_id: tenant_id },
    longest_seconds: LONGEST_TOKEN_SECONDS,
  };
};

const openKeycloak = async (
  keycloak: Keycloak,
  { logger, retryUntilAvailable, revocations }: Needs,
): Promise<OpenedIdentity> => {
  const [first, ...others] = keycloak.realms.map((name) => realmSetup(keycloak, name));
  if (first === undefined) throw new Error('KEYCLOAK_REALM names no realm');
  const { url, client_id, client_secret, allow_http } = keycloak;
  const identity = await retryUntilAvailable(() =>
    createOidcIdentity({
      realms: [first, ...others],
      client_id,
      client_secret,
      allow_http,
      revocations,
      log: logger,
    }),
  );
  const urls = [first, ...others].map(({ issuer_url, reached_at = issuer_url }) => reached_at);
  const implementation = `Keycloak at ${url}, ${urls.length > 1 ? 'realms' : 'realm'} ${keycloak.realms.join(', ')}`;
  return {
    identity,
    register: null,
    dependency: { ...dependencyOf(implementation, urls), stand_in: false },
    generated_password: null,
  };
};

/** Opens the identity provider that the settings name, or else the local one. */
export const openIdentity = async (config: Config, needs: Needs): Promise<OpenedIdentity> => {
  const opened = config.keycloak ? await openKeycloak(config.keycloak, needs) : await openLocal(config, needs);
  const { refresh_grace_seconds: grace_seconds } = config;
  const answers = createRepeatedAnswers({ pool: needs.pool });
  const identity = needs.closing.add('identity', repeatableIdentity(opened.identity, { answers, grace_seconds }));
  return { ...opened, identity };
};
