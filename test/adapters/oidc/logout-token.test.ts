import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { generateKeyPair, SignJWT } from 'jose';
import { readLogoutToken } from '../../../src/adapters/oidc/logout-token.ts';
import type { Issuer } from '../../../src/adapters/oidc/token-verifier.ts';
import { Rejected } from '../../../src/errors.ts';
import { failureOf } from '../../failure-of.ts';

const ISSUER = 'https://login.example.com/realms/bud';
const EVENTS = { 'http://schemas.openid.net/event/backchannel-logout': {} };
const NOW = 1_900_000_000;

describe('logout tokens', () => {
  let key: Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];
  let stranger: typeof key;
  let issuers: Issuer[];

  before(async () => {
    const pair = await generateKeyPair('RS256');
    key = pair.privateKey;
    stranger = (await generateKeyPair('RS256')).privateKey;
    const rules = { client_id: 'budapp', tenant: { by: 'claim' as const } };
    issuers = [{ issuer: ISSUER, keys: async () => pair.publicKey, rules }];
  });

  const claims = { iss: ISSUER, aud: 'budapp', iat: NOW - 1, exp: NOW + 119, events: EVENTS, sub: 'ada', sid: 's-1' };

  const read = async (changes: object = {}, { typ = 'logout+jwt', by = key } = {}) => {
    const payload = { ...claims, jti: randomUUID(), ...changes };
    const token = await new SignJWT(payload).setProtectedHeader({ alg: 'RS256', typ }).sign(by);
    return readLogoutToken(token, issuers, NOW * 1000);
  };

  it('say which session has ended, and when', async () => {
    expect(await read({ jti: 'm-1' })).to.deep.equal({
      issuer: ISSUER,
      session_id: 's-1',
      subject: 'ada',
      ended_at: NOW - 1,
      message_id: 'm-1',
      message_expires_at: NOW + 119 + 5,
    });
  });

  it('may name only a subject, or only a session', async () => {
    expect(await read({ sid: undefined })).to.include({ session_id: null, subject: 'ada' });
    expect(await read({ sub: undefined })).to.include({ session_id: 's-1', subject: null });
  });

  it('may say more than we understand, as Keycloak does', async () => {
    const events = { ...EVENTS, revoke_offline_access: true };
    expect(await read({ events, typ: 'Logout' })).to.include({ session_id: 's-1' });
  });

  it('are taken a few seconds early or late', async () => {
    expect(await read({ iat: NOW + 4 })).to.have.property('session_id');
    expect(await read({ exp: NOW - 4 })).to.have.property('session_id');
  });

  const REFUSED: [string, () => Promise<unknown>][] = [
    ['from another issuer', () => read({ iss: 'https://login.example.com/realms/other' })],
    ['for another application', () => read({ aud: 'other' })],
    ['signed by a stranger', () => read({}, { by: stranger })],
    ['of another kind of token', () => read({}, { typ: 'JWT' })],
    ['of an access token', () => read({ events: undefined }, { typ: 'at+jwt' })],
    ['without the event', () => read({ events: {} })],
    ['with the event as a text', () => read({ events: { [Object.keys(EVENTS)[0] ?? '']: 'yes' } })],
    ['with a nonce, which only an ID token has', () => read({ nonce: 'n' })],
    ['without a session and a subject', () => read({ sid: undefined, sub: undefined })],
    ['without an id', () => read({ jti: undefined })],
    ['without the time it was made', () => read({ iat: undefined })],
    ['without an expiry', () => read({ exp: undefined })],
    ['that has expired', () => read({ exp: NOW - 60 })],
    ['that somebody kept', () => read({ iat: NOW - 3600, exp: NOW + 3600 })],
    ['that is none', () => readLogoutToken('nonsense', issuers, NOW * 1000)],
    [
      'that is not signed',
      () => {
        const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
        const token = `${part({ alg: 'none', typ: 'logout+jwt' })}.${part({ ...claims, jti: 'm' })}.`;
        return readLogoutToken(token, issuers, NOW * 1000);
      },
    ],
  ];
  for (const [title, make] of REFUSED) {
    it(`are refused ${title}`, async () => {
      const failure = await failureOf(make());
      expect(failure, String(failure)).to.be.instanceOf(Rejected);
      expect(failure).to.include({ kind: 'malformed', code: 'invalid-logout-token' });
      expect(failure).to.have.nested.property('extra.error', 'invalid_request');
    });
  }

  it('are to be sent again where the keys cannot be fetched', async () => {
    const away = issuers.map((issuer) => ({
      ...issuer,
      keys: async () => {
        throw new TypeError('fetch failed');
      },
    }));
    const token = await new SignJWT(claims).setProtectedHeader({ alg: 'RS256', typ: 'logout+jwt' }).sign(key);
    expect(await failureOf(readLogoutToken(token, away, NOW * 1000))).to.include({ kind: 'unavailable' });
  });
});
