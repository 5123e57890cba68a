import { z } from 'zod';
import { missingCompanions, missingLeader } from './companions.ts';
import type { Given } from './given.ts';
import { address, boolean, clientSecret, integer, realmNames } from './setting-kinds.ts';

const YEAR_MINUTES = 366 * 24 * 60;

/** Who logs in: Keycloak, or the local identity provider with its administrator. */
export const IdentitySettings = z.object({
  ADMIN_EMAIL: z
    .string()
    .regex(/^[^\s@]+@[^\s@]+$/, 'must be an e-mail address')
    .default('admin@budapp.local'),
  ADMIN_PASSWORD: z.string().optional(),
  TOKEN_EXPIRE_MINUTES: integer(1, YEAR_MINUTES).prefault('30'),
  REFRESH_TOKEN_EXPIRE_MINUTES: integer(1, YEAR_MINUTES).prefault('10080'),
  REFRESH_GRACE_SECONDS: integer(0, 60).prefault('20'),
  KEYCLOAK_URL: address.optional(),
  KEYCLOAK_PUBLIC_URL: address.optional(),
  KEYCLOAK_REALM: realmNames.optional(),
  KEYCLOAK_CLIENT_ID: z.string().optional(),
  KEYCLOAK_CLIENT_SECRET: clientSecret.optional(),
  KEYCLOAK_ALLOW_HTTP: boolean.prefault('false'),
});
type IdentitySettings = z.output<typeof IdentitySettings>;

const keycloakOf = (env: IdentitySettings) =>
  env.KEYCLOAK_URL === undefined
    ? null
    : {
        url: env.KEYCLOAK_URL,
        /** Where browsers reach Keycloak; its tokens name this address as their issuer. */
        public_url: env.KEYCLOAK_PUBLIC_URL ?? env.KEYCLOAK_URL,
        realms: env.KEYCLOAK_REALM ?? [],
        client_id: env.KEYCLOAK_CLIENT_ID ?? '',
        client_secret: env.KEYCLOAK_CLIENT_SECRET ?? '',
        allow_http: env.KEYCLOAK_ALLOW_HTTP,
      };

export const identityOf = (env: IdentitySettings) => ({
  admin: { email: env.ADMIN_EMAIL, password: env.ADMIN_PASSWORD },
  /** Seconds. */
  token_lifetimes: {
    access_token: env.TOKEN_EXPIRE_MINUTES * 60,
    refresh_token: env.REFRESH_TOKEN_EXPIRE_MINUTES * 60,
  },
  /** For how long a used refresh token gives the same new ones again. */
  refresh_grace_seconds: env.REFRESH_GRACE_SECONDS,
  /** null: the local identity provider. */
  keycloak: keycloakOf(env),
});

const COMPANIONS = ['KEYCLOAK_REALM', 'KEYCLOAK_CLIENT_ID', 'KEYCLOAK_CLIENT_SECRET'];

export const identityRules = (given: Given): string[] => [
  ...missingCompanions(given, 'KEYCLOAK_URL', COMPANIONS),
  ...missingLeader(given, 'KEYCLOAK_URL', COMPANIONS),
];
