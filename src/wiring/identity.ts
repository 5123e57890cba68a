import { createOidcIdentity } from '../adapters/oidc-identity.ts';
import type { Revocations } from '../adapters/revocations.ts';
import type { Config } from '../config.ts';
import type { Identity } from '../ports.ts';
import type { Logger } from '../telemetry.ts';
import type { Closing } from './closing.ts';

/** Makes a user at the identity provider; throws `Rejected` where the data is refused. */
export type RegisterIdentity = (user: { email: string; password: string; name: string }) => Promise<void>;

export interface OpenedIdentity {
  identity: Identity;
  /** null: the provider registers people itself. */
  register: RegisterIdentity | null;
  issuer_url: string;
  stand_in: boolean;
  /** The admin's password, where this start generated it. */
  generated_password: string | null;
}

interface Needs {
  closing: Closing;
  logger: Logger;
  revocations: Revocations;
  public_url: string;
}

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
    redirect_uris,
    log: logger,
  });
  closing.add('local identity provider', provider);
  const { issuer_url, client_id, client_secret, generated_password } = provider;
  const identity = await createOidcIdentity({
    issuer_url,
    client_id,
    client_secret,
    redirect_uris,
    revocations,
    default_tenant_id: DEFAULT_TENANT_ID,
  });
  return {
    identity,
    register: async (user) => {
      await provider.createUser({ ...user, role: 'developer' });
    },
    issuer_url,
    stand_in: true,
    generated_password,
  };
};

/** The identity provider that the settings name, or the local one. */
export const openIdentity = async (config: Config, needs: Needs): Promise<OpenedIdentity> => {
  const opened = config.keycloak
    ? {
        identity: await createOidcIdentity({ ...config.keycloak, revocations: needs.revocations }),
        register: null,
        issuer_url: config.keycloak.issuer_url,
        stand_in: false,
        generated_password: null,
      }
    : await openLocal(config, needs);
  needs.closing.add('identity', opened.identity);
  return opened;
};
