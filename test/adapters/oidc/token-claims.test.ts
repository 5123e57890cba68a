import { expect } from 'chai';
import { type ClaimRules, verifiedToken } from '../../../src/adapters/oidc/token-claims.ts';
import { Rejected } from '../../../src/errors.ts';
import { TenantId } from '../../../src/events/ids.ts';

const TENANT = TenantId.parse('01900000-0000-7000-8000-000000000009');
const RULES: ClaimRules = { client_id: 'budapp', tenant: { by: 'claim' } };

const claimsOf = (token: Parameters<typeof verifiedToken>[0], rules: ClaimRules) => verifiedToken(token, rules).claims;

const LOCAL = {
  iss: 'http://127.0.0.1:4000',
  aud: 'budapp',
  sub: 'u-1',
  jti: 't-1',
  exp: 1_900_000_000,
  iat: 1_899_998_200,
  email: 'ada@example.com',
  name: 'Ada Lovelace',
  roles: ['developer'],
  tenant_id: TENANT,
};

const KEYCLOAK = {
  iss: 'https://login.example.com/realms/bud',
  aud: 'account',
  azp: 'budapp',
  typ: 'Bearer',
  sub: 'f1c2d3e4-0000-4000-8000-000000000001',
  jti: 'onrtac:3f5c',
  exp: 1_900_000_000,
  iat: 1_899_998_200,
  sid: 's-1',
  scope: 'openid email profile',
  preferred_username: 'ada',
  email: 'ada@example.com',
  name: 'Ada Lovelace',
  realm_access: { roles: ['offline_access', 'admin', 'default-roles-bud'] },
  resource_access: { account: { roles: ['manage-account'] } },
  groups: ['/viewer'],
  tenant_id: TENANT,
};

const local = (changes: object = {}, typ = 'at+jwt') =>
  claimsOf({ protectedHeader: { alg: 'ES256', typ }, payload: { ...LOCAL, ...changes } }, RULES);
const keycloak = (changes: object = {}) =>
  claimsOf({ protectedHeader: { alg: 'RS256', typ: 'JWT' }, payload: { ...KEYCLOAK, ...changes } }, RULES);

const refusalOf = (make: () => unknown): unknown => {
  try {
    return make();
  } catch (error) {
    return error;
  }
};

describe('token claims', () => {
  it('reads a token of the local provider', () => {
    expect(local()).to.deep.equal({
      subject: 'u-1',
      tenant_id: TENANT,
      email: 'ada@example.com',
      name: 'Ada Lovelace',
      role: 'developer',
      issued_at: 1_899_998_200,
      expires_at: 1_900_000_000,
      token_id: 't-1',
    });
  });

  it('reads a token of Keycloak', () => {
    expect(keycloak()).to.deep.equal({
      subject: KEYCLOAK.sub,
      tenant_id: TENANT,
      email: 'ada@example.com',
      name: 'Ada Lovelace',
      role: 'admin',
      issued_at: 1_899_998_200,
      expires_at: 1_900_000_000,
      token_id: 'onrtac:3f5c',
    });
  });

  it('knows the session of a token, where the provider tells it', () => {
    const identity = (payload: object) =>
      verifiedToken({ protectedHeader: { alg: 'ES256', typ: 'at+jwt' }, payload: { ...KEYCLOAK, ...payload } }, RULES)
        .identity;
    expect(identity({})).to.deep.equal({
      issuer: KEYCLOAK.iss,
      subject: KEYCLOAK.sub,
      token_id: 'onrtac:3f5c',
      session_id: 's-1',
      issued_at: 1_899_998_200,
      expires_at: 1_900_000_000,
    });
    expect(identity({ sid: undefined }).session_id).to.equal(null);
  });

  const ROLES: [string, object, string][] = [
    ['of the realm', { realm_access: { roles: ['viewer', 'developer'] } }, 'developer'],
    ['of our client', { realm_access: { roles: [] }, resource_access: { budapp: { roles: ['admin'] } } }, 'admin'],
    ['of a group', { realm_access: { roles: [] }, groups: ['/developer'] }, 'developer'],
    [
      'of another client, which counts for nothing',
      { realm_access: { roles: [] }, resource_access: { other: { roles: ['admin'] } } },
      'viewer',
    ],
    [
      'of a nested group, which counts for nothing',
      { realm_access: { roles: [] }, groups: ['/other/admin'] },
      'viewer',
    ],
    ['that nobody gave', { realm_access: undefined, resource_access: undefined, groups: undefined }, 'viewer'],
    ['in a shape that is not known', { realm_access: 'admin', resource_access: ['admin'], groups: 'admin' }, 'viewer'],
  ];
  for (const [title, changes, role] of ROLES) {
    it(`takes the role ${title}`, () => expect(keycloak(changes).role).to.equal(role));
  }

  it('does not take the silence of a token that was made for another client for a role', () => {
    const silent = { realm_access: undefined, resource_access: undefined, groups: undefined };
    const forOther = { aud: ['budapp'], azp: 'a-tool' };
    expect(keycloak({ ...silent, ...forOther }).role).to.equal(null);
    expect(keycloak(forOther).role).to.equal('admin');
  });

  it('takes the most powerful of several roles', () => {
    expect(local({ roles: ['viewer', 'admin', 'developer'] }).role).to.equal('admin');
  });

  it('falls back on the user name where there is no e-mail or name', () => {
    expect(keycloak({ email: undefined, name: undefined })).to.include({ email: 'ada', name: 'ada' });
  });

  it('takes an audience of several', () => {
    expect(local({ aud: ['account', 'budapp'] }).subject).to.equal('u-1');
  });

  const REFUSED: [string, () => unknown][] = [
    ['for another audience', () => local({ aud: 'other' })],
    ['without an audience', () => local({ aud: undefined })],
    ['that Keycloak gave another client', () => keycloak({ azp: 'other' })],
    ['that is an ID token of Keycloak', () => keycloak({ typ: 'ID', aud: 'budapp' })],
    ['that is a refresh token of Keycloak', () => keycloak({ typ: 'Refresh' })],
    ['that is an ID token of the local provider', () => local({}, 'JWT')],
    ['without a tenant', () => local({ tenant_id: undefined })],
    ['with a tenant that is no id', () => local({ tenant_id: 'everybody' })],
    ['without an id of its own', () => local({ jti: undefined })],
    ['without a subject', () => local({ sub: '' })],
  ];
  for (const [title, make] of REFUSED) {
    it(`refuses a token ${title}`, () => {
      const refusal = refusalOf(make);
      expect(refusal).to.be.instanceOf(Rejected).and.include({ kind: 'unauthenticated', code: 'invalid-token' });
    });
  }

  it('gives a token without a tenant the one that is configured', () => {
    const payload = { ...KEYCLOAK, tenant_id: undefined };
    const token = { protectedHeader: { alg: 'RS256', typ: 'JWT' }, payload };
    expect(claimsOf(token, { ...RULES, tenant: { by: 'claim', default_tenant_id: TENANT } }).tenant_id).to.equal(
      TENANT,
    );
  });

  it('does not give a token the tenant that is configured where it names one badly', () => {
    const token = { protectedHeader: { alg: 'RS256', typ: 'JWT' }, payload: { ...KEYCLOAK, tenant_id: 'everybody' } };
    const rules: ClaimRules = { ...RULES, tenant: { by: 'claim', default_tenant_id: TENANT } };
    expect(refusalOf(() => claimsOf(token, rules))).to.include({ code: 'invalid-token' });
  });

  for (const tenant_id of ['01900000-0000-7000-8000-00000000000b', 'everybody', undefined]) {
    it(`takes the realm for the tenant where there are several, whatever the token claims (${tenant_id})`, () => {
      const token = { protectedHeader: { alg: 'RS256', typ: 'JWT' }, payload: { ...KEYCLOAK, tenant_id } };
      const rules: ClaimRules = { ...RULES, tenant: { by: 'realm', tenant_id: TENANT } };
      expect(claimsOf(token, rules).tenant_id).to.equal(TENANT);
    });
  }

  it('refuses a token that lives longer than the end of its session is remembered', () => {
    const rules: ClaimRules = { ...RULES, longest_seconds: 1800 };
    const token = (exp: number) => ({ protectedHeader: { alg: 'RS256', typ: 'JWT' }, payload: { ...KEYCLOAK, exp } });
    expect(claimsOf(token(KEYCLOAK.iat + 1800), rules).subject).to.equal(KEYCLOAK.sub);
    expect(refusalOf(() => claimsOf(token(KEYCLOAK.iat + 1801), rules))).to.include({ code: 'invalid-token' });
  });
});
