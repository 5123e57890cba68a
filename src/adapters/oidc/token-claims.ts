import type { JWTHeaderParameters, JWTPayload } from 'jose';
import { z } from 'zod';
import { Rejected } from '../../errors.ts';
import { TenantId } from '../../events/ids.ts';
import type { Claims } from '../../ports/identity.ts';
import { toStorable } from '../../storable-text.ts';
import type { TokenIdentity } from './revocation-entries.ts';

/** What the provider's users write of themselves. */
const StorableText = z.string().transform(toStorable);
const Names = z.array(z.string()).catch([]);
const Roles = z.object({ roles: Names }).catch({ roles: [] });

/** The claims that BudApp reads from a token of the local provider or of Keycloak; others are ignored. */
const AccessTokenPayload = z.object({
  iss: z.string(),
  sub: z.string().min(1),
  exp: z.number(),
  jti: z.string().min(1),
  iat: z.number(),
  sid: z.string().optional(),
  typ: z.string().optional(),
  aud: z.union([z.string().transform((audience) => [audience]), z.array(z.string())]).optional(),
  azp: z.string().optional(),
  email: StorableText.optional(),
  preferred_username: StorableText.optional(),
  name: StorableText.optional(),
  tenant_id: z.unknown().optional(),
  roles: Names.optional(),
  groups: Names.optional(),
  realm_access: Roles.optional(),
  resource_access: z.record(z.string(), Roles).catch({}).optional(),
});
type AccessTokenPayload = z.output<typeof AccessTokenPayload>;

/** From the most to the least powerful: the first role of a user counts. */
const ROLES = ['admin', 'developer', 'viewer'] as const;

const invalid = (detail: string, cause?: unknown) =>
  new Rejected('unauthenticated', 'invalid-token', `The access token ${detail}.`, { cause });

/**
 * The role of a user. A user of the provider without any of BudApp's roles is a viewer. Keycloak omits empty claims, so
 * a token for BudApp's own client without roles means that there are none. A token for another client may lack the
 * scope for roles, so the role is unknown: null.
 */
const roleOf = (payload: AccessTokenPayload, clientId: string): Claims['role'] => {
  const sources = [
    payload.roles,
    payload.realm_access?.roles,
    payload.resource_access?.[clientId]?.roles,
    // Keycloak writes groups as paths: /admin
    payload.groups?.map((group) => group.replace(/^\//, '')),
  ];
  if (payload.azp !== clientId && sources.every((source) => source === undefined)) return null;
  const named = sources.flatMap((source) => source ?? []);
  return ROLES.find((role) => named.includes(role)) ?? 'viewer';
};

/** Both providers sign ID tokens with the same keys and audience: those are refused. */
const isAccessToken = (header: JWTHeaderParameters, payload: AccessTokenPayload): boolean =>
  header.typ?.toLowerCase().replace('application/', '') === 'at+jwt' || payload.typ === 'Bearer';

/** Keycloak's `aud` is `account` unless a mapper is set up; `azp` names the client that requested the token. */
const isForUs = (payload: AccessTokenPayload, clientId: string): boolean =>
  payload.aud?.includes(clientId) === true || payload.azp === clientId;

export interface ClaimRules {
  client_id: string;
  /**
   * The tenant of the bearer. `claim`: the token's `tenant_id`, or `default_tenant_id` where it has none (if that is
   * absent too, the token is refused). `realm`: all users of a realm are one tenant, and the token's claim is ignored,
   * since a realm's administrator could name the tenant of another realm.
   */
  tenant: { by: 'claim'; default_tenant_id?: TenantId | undefined } | { by: 'realm'; tenant_id: TenantId };
  /** Maximum lifetime of a token; a longer one is refused: see `LONGEST_TOKEN_SECONDS`. */
  longest_seconds?: number | undefined;
}

const tenantOf = (claim: unknown, tenant: ClaimRules['tenant']): TenantId => {
  if (tenant.by === 'realm') return tenant.tenant_id;
  if (claim === undefined && tenant.default_tenant_id !== undefined) return tenant.default_tenant_id;
  const named = TenantId.safeParse(claim);
  if (!named.success) throw invalid('names no tenant', named.error);
  return named.data;
};

export interface VerifiedToken {
  claims: Claims;
  identity: TokenIdentity;
}

/**
 * Reads the claims of a token whose signature, issuer and expiry have been verified. Throws `Rejected`
 * `unauthenticated` with code `invalid-token`.
 */
export const verifiedToken = (
  token: { protectedHeader: JWTHeaderParameters; payload: JWTPayload },
  { client_id, tenant, longest_seconds }: ClaimRules,
): VerifiedToken => {
  const parsed = AccessTokenPayload.safeParse(token.payload);
  if (!parsed.success) throw invalid('lacks a claim or has one of the wrong type', parsed.error);
  const payload = parsed.data;
  if (!isAccessToken(token.protectedHeader, payload)) throw invalid('is a token of another kind');
  if (!isForUs(payload, client_id)) throw invalid('was made for another application');
  const tenantId = tenantOf(payload.tenant_id, tenant);
  if (longest_seconds !== undefined && payload.exp - payload.iat > longest_seconds) {
    throw invalid('has too long a lifetime: the end of its session is not kept that long');
  }
  const email = payload.email ?? payload.preferred_username ?? payload.sub;
  const { sub: subject, jti: token_id, exp: expires_at, iat: issued_at, sid: session_id = null } = payload;
  const name = payload.name ?? payload.preferred_username ?? email;
  const role = roleOf(payload, client_id);
  return {
    claims: { subject, tenant_id: tenantId, email, name, role, issued_at, expires_at, token_id },
    identity: { issuer: payload.iss, token_id, session_id, subject, issued_at, expires_at },
  };
};
