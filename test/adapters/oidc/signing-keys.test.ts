import { expect } from 'chai';
import { exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose';
import { createSigningKeys } from '../../../src/adapters/oidc/signing-keys.ts';
import { createLogger } from '../../../src/telemetry.ts';
import { failureOf } from '../../failure-of.ts';

describe('signing keys', () => {
  const aKey = async (kid: string) => {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const jwk = { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' };
    return { jwk, token: await new SignJWT({}).setProtectedHeader({ alg: 'ES256', kid }).sign(privateKey) };
  };

  const open = async () => {
    const [old, rotated, unknown] = await Promise.all(['old', 'rotated', 'unknown'].map(aKey));
    if (!old || !rotated || !unknown) throw new Error('no keys');
    const lines: string[] = [];
    const provider = { keys: [old.jwk], fetches: 0, down: false };
    const keys = createSigningKeys({
      jwks_uri: new URL('https://login.example.com/certs'),
      cooldown_ms: 0,
      log: createLogger({ level: 'warn', destination: { write: (line) => void lines.push(line) } }),
      fetch: async () => {
        provider.fetches += 1;
        if (provider.down) throw new TypeError('fetch failed');
        return Response.json({ keys: provider.keys });
      },
    });
    return { old, rotated, unknown, provider, lines, verify: (token: string) => jwtVerify(token, keys) };
  };

  it('are fetched once, and again where a token names one that is new', async () => {
    const { old, rotated, provider, verify } = await open();
    await verify(old.token);
    await verify(old.token);
    expect(provider.fetches).to.equal(1);
    provider.keys = [rotated.jwk, old.jwk];
    await verify(rotated.token);
    await verify(old.token);
    expect(provider.fetches).to.equal(2);
  });

  it('serve on while the provider is down, and nobody is refused whose key may be a new one', async () => {
    const { old, rotated, provider, lines, verify } = await open();
    await verify(old.token);
    provider.down = true;
    const failure = await failureOf(verify(rotated.token));
    expect(failure).to.include({ kind: 'unavailable', code: 'identity-unavailable' });
    await verify(old.token);
    expect(lines).to.have.length(1);
    provider.down = false;
    provider.keys = [rotated.jwk, old.jwk];
    await verify(rotated.token);
  });

  it('do not open a token of a key that the provider does not have', async () => {
    const { old, unknown, verify } = await open();
    await verify(old.token);
    expect(await failureOf(verify(unknown.token))).to.include({ code: 'ERR_JWKS_NO_MATCHING_KEY' });
  });

  it('are missed where they could never be fetched', async () => {
    const { old, provider, verify } = await open();
    provider.down = true;
    expect(await failureOf(verify(old.token))).to.include({ kind: 'unavailable' });
  });
});
