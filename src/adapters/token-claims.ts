import type { JWTHeaderParameters, JWTPayload } from 'jose';
import { z } from 'zod';
import { Rejected } from '../errors.ts';
import { TenantId } from '../events/ids.ts';
import type { Claims } from '../ports.ts';
import type { TokenIdentity } from './revocations.ts';

const Names = z.array(z.string()).catch([]);
const Roles = z.object({ roles: Names }).catch({ roles: [] });

/** The claims that are read, from a token of the local provider or of Keycloak; everything else is ignored. */
const AccessTokenPayload = z.object({
  sub: z.string().min(1),
  exp: z.number(),
  jti: z.string().min(1),
  iat: z.number(),
  sid: z.string().optional(),
  typ: z.string().optional(),
  aud: z.union([z.string().transform((audience) => [audience]), z.array(z.string())]).optional(),
  azp: z.string().optional(),
  email: z.string().optional(),
  preferred_username: z.string().optional(),
  name: z.string().optional(),
  tenant_id: TenantId.optional(),
  roles: Names.optional(),
  groups: Names.optional(),
  realm_access: Roles.optional(),
  resource_access: z.record(z.string(), Roles).catch({}).optional(),
});
type AccessTokenPayload = z.output<typeof AccessTokenPayload>;

/** From the most to the least powerful: whoever has several is the first. */
const ROLES = ['admin', 'developer', 'viewer'] as const;

const invalid = (detail: string, cause?: unknown) =>
  new Rejected('unauthenticated', 'invalid-token', `The access token ${detail}.`, { cause });

/** Somebody who is known to the provider but has none of our roles may look, and no more. */
const roleOf = (payload: AccessTokenPayload, clientId: string): Claims['role'] => {
  const named = [
    ...(payload.roles ?? []),
    ...(payload.realm_access?.roles ?? []),
    ...(payload.resource_access?.[clientId]?.roles ?? []),
    // Keycloak writes groups as paths: /admin
    ...(payload.groups ?? []).map((group) => group.replace(/^\//, '')),
  ];
  return ROLES.find((role) => named.includes(role)) ?? 'viewer';
};

/** Both providers sign ID tokens with the same keys for the same audience: those open nothing. */
const isAccessToken = (header: JWTHeaderParameters, payload: AccessTokenPayload): boolean =>
  header.typ?.toLowerCase().replace('application/', '') === 'at+jwt' || payload.typ === 'Bearer';

/** Keycloak's `aud` is `account` unless a mapper is set up; the client that asked for the token stands in `azp`. */
const isForUs = (payload: AccessTokenPayload, clientId: string): boolean =>
  payload.aud?.includes(clientId) === true || payload.azp === clientId;

export interface ClaimRules {
  client_id: string;
  /** The tenant of tokens without a `tenant_id` claim; where it is absent such tokens are refused. */
  default_tenant_id?: TenantId | undefined;
}

export interface VerifiedToken {
  claims: Claims;
  identity: TokenIdentity;
}

/**
 * What a token whose signature, issuer and expiry were checked says about its bearer. Throws `Rejected`
 * `unauthenticated` with code `invalid-token`.
 */
export const verifiedToken = (
  token: { protectedHeader: JWTHeaderParameters; payload: JWTPayload },
  { client_id, default_tenant_id }: ClaimRules,
): VerifiedToken => {
  const parsed = AccessTokenPayload.safeParse(token.payload);
  if (!parsed.success) throw invalid('lacks a claim or has one of the wrong type', parsed.error);
  const payload = parsed.data;
  if (!isAccessToken(token.protectedHeader, payload)) throw invalid('is a token of another kind');
  if (!isForUs(payload, client_id)) throw invalid('was made for another application');
  const tenantId = payload.tenant_id ?? default_tenant_id;
  if (tenantId === undefined) throw invalid('names no tenant');
  const email = payload.email ?? payload.preferred_username ?? payload.sub;
  const { sub: subject, jti: token_id, exp: expires_at, iat: issued_at, sid: session_id = null } = payload;
  const name = payload.name ?? payload.preferred_username ?? email;
  const role = roleOf(payload, client_id);
  return {
    claims: { subject, tenant_id: tenantId, email, name, role, expires_at, token_id },
    identity: { token_id, session_id, issued_at, expires_at },
  };
};
