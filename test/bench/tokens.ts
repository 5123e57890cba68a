import { randomUUID } from 'node:crypto';
import { createLocalJWKSet, exportJWK, generateKeyPair, type JWTVerifyGetKey, jwtVerify, SignJWT } from 'jose';
import { createClockWatch } from '../../src/adapters/oidc/clock-watch.ts';
import { keysOf } from '../../src/adapters/oidc/revocation-entries.ts';
import { createTokenVerifier } from '../../src/adapters/oidc/token-verifier.ts';
import { createLogger } from '../../src/telemetry.ts';
import { type BenchLine, callers, compare } from './measure.ts';

const ISSUER = 'https://login.example.com/realms/bud';
const CLIENT_ID = 'bud-serve-app';
const TENANT = '01930000-0000-7000-8000-0000000000aa';
const TOKENS = 4_000;
const SEEN = 1_000;
const CALLERS = 32;
/** As many revocations as a busy installation holds at a time. */
const REVOKED = 10_000;

interface Signed {
  keys: JWTVerifyGetKey;
  tokens: readonly string[];
}

/** Tokens as Keycloak makes them, each with a session and an id of its own. */
const signTokens = async (alg: 'RS256' | 'ES256', count: number): Promise<Signed> => {
  const { privateKey, publicKey } = await generateKeyPair(alg);
  const jwk = { ...(await exportJWK(publicKey)), kid: alg, alg, use: 'sig' };
  const token = (index: number): Promise<string> =>
    new SignJWT({
      jti: `onrtro:${randomUUID()}`,
      sub: randomUUID(),
      sid: randomUUID(),
      typ: 'Bearer',
      azp: CLIENT_ID,
      acr: '1',
      realm_access: { roles: ['developer'] },
      scope: 'openid email profile',
      tenant_id: TENANT,
      email_verified: true,
      name: 'Ada Lovelace',
      groups: ['/developers'],
      preferred_username: `ada-${index}@example.com`,
      email: `ada-${index}@example.com`,
    })
      .setProtectedHeader({ alg, typ: 'JWT', kid: alg })
      .setIssuer(ISSUER)
      .setAudience(CLIENT_ID)
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(privateKey);
  const tokens = await Promise.all(Array.from({ length: count }, (_none, index) => token(index)));
  return { keys: createLocalJWKSet({ keys: [jwk] }), tokens };
};

const revoked = new Set(Array.from({ length: REVOKED }, () => `${ISSUER}#session:${randomUUID()}`));

const verifierOf = (keys: JWTVerifyGetKey) => {
  const now = Date.now;
  return createTokenVerifier({
    issuers: [{ issuer: ISSUER, keys, rules: { client_id: CLIENT_ID, tenant: { by: 'claim' } } }],
    revocations: { isRevoked: (token) => keysOf(token).some((key) => revoked.has(key)) },
    clock: createClockWatch({ log: createLogger({ level: 'silent' }), now }),
    now,
  });
};

/** Hands out the tokens in turns. */
const inTurns = (tokens: readonly string[]) => {
  let next = 0;
  return (): string => tokens[next++ % tokens.length] ?? '';
};

const bare = ({ keys, tokens }: Signed) => {
  const take = inTurns(tokens);
  return () =>
    callers(CALLERS, TOKENS, async () => {
      await jwtVerify(take(), keys, { issuer: ISSUER, audience: CLIENT_ID, requiredClaims: ['exp'] });
    });
};

const unseen = async (alg: 'RS256' | 'ES256'): Promise<BenchLine> => {
  const signed = await signTokens(alg, TOKENS);
  return compare(
    // The goal is 10,000 a second on one core, a rate: it is read from the table, and judged on no machine.
    { what: `check ${alg} tokens never seen before`, goal: 0, unit: 'tokens/s' },
    {
      baseline: bare(signed),
      // A verifier that has seen nothing yet, in every round.
      ours: () => {
        const { verify } = verifierOf(signed.keys);
        const take = inTurns(signed.tokens);
        return callers(CALLERS, TOKENS, async () => {
          await verify(take());
        });
      },
    },
  );
};

const seen = async (): Promise<BenchLine> => {
  const signed = await signTokens('RS256', SEEN);
  const { verify } = verifierOf(signed.keys);
  for (const token of signed.tokens) await verify(token);
  const take = inTurns(signed.tokens);
  return compare(
    { what: 'check tokens seen before', goal: 0, unit: 'tokens/s' },
    {
      baseline: bare(signed),
      ours: () =>
        callers(CALLERS, TOKENS, async () => {
          await verify(take());
        }),
    },
  );
};

/** How many access tokens are checked a second, against `jose.jwtVerify` alone, which checks no tenant and no revocation. */
export const benchTokens = async (): Promise<BenchLine[]> => [
  await seen(),
  await unseen('RS256'),
  await unseen('ES256'),
];
