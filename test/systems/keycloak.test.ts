import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { decodeProtectedHeader } from 'jose';
import { createOidcIdentity, type OidcIdentityOptions } from '../../src/adapters/oidc/identity.ts';
import { tenantOfRealm } from '../../src/adapters/oidc/realm-tenant.ts';
import { createRevocations } from '../../src/adapters/oidc/revocations.ts';
import { Rejected, SystemUnusable } from '../../src/errors.ts';
import type { Identity } from '../../src/ports/identity.ts';
import { createLogger } from '../../src/telemetry.ts';
import { createBrowser, formOf, locationOf } from '../browser.ts';
import { identityContract } from '../contract/identity.ts';
import { failureOf } from '../failure-of.ts';
import { openPool } from '../pool.ts';
import { testDatabase } from '../postgres.ts';
import { startKeycloak } from './servers/keycloak.ts';
import { createKeycloakAdmin, type KeycloakAdmin } from './servers/keycloak-admin.ts';

const REALM = 'bud-serve';
const REDIRECT_URI = 'http://localhost:9081/auth/callback';
const TENANT = '01930000-0000-7000-8000-0000000000aa';
const ada = { email: 'ada@example.com', password: 'Correct-Horse-1' };
const bob = { email: 'bob@example.com', password: 'Correct-Horse-2' };

describe('Keycloak', () => {
  let dir: string;
  let keycloak: Awaited<ReturnType<typeof startKeycloak>>;
  let admin: KeycloakAdmin;
  let database: Awaited<ReturnType<typeof testDatabase>>;
  let connections: ReturnType<typeof openPool>;
  const lines: string[] = [];
  const log = createLogger({ level: 'warn', destination: { write: (line) => void lines.push(line) } });

  const realm = (changes: { issuer_url?: string; reached_at?: string; name?: string } = {}) => ({
    name: REALM,
    issuer_url: `${keycloak.url}/realms/${REALM}`,
    tenant: { by: 'claim' as const, default_tenant_id: tenantOfRealm(REALM) },
    ...changes,
  });

  const open = async (options: Partial<OidcIdentityOptions> = {}): Promise<Identity> => {
    const revocations = await createRevocations({ pool: connections.pool, log, poll_ms: 50 });
    try {
      const identity = await createOidcIdentity({
        realms: [realm()],
        client_id: 'bud-serve-app',
        client_secret: keycloak.settings.KEYCLOAK_CLIENT_SECRET ?? '',
        revocations,
        log,
        jwks_cooldown_ms: 0,
        ...options,
      });
      return { ...identity, close: () => revocations.close() };
    } catch (error) {
      await revocations.close();
      throw error;
    }
  };
  const connect = (options: { ahead_ms?: () => number; client_id?: string } = {}) => {
    const { ahead_ms = () => 0, client_id = 'bud-serve-app' } = options;
    return open({ client_id, now: () => Date.now() + ahead_ms() });
  };

  before(async function () {
    this.timeout(300_000);
    dir = await mkdtemp(join(tmpdir(), 'budapp-keycloak-'));
    keycloak = await startKeycloak({ dir });
    admin = createKeycloakAdmin(keycloak, REALM);
    database = await testDatabase();
    connections = openPool(database.connection_string, 4);
    await admin.createUser({ ...ada, groups: ['admins'], tenant_id: TENANT });
    await admin.createUser({ ...bob, first_name: 'Bob', last_name: 'Bauer' });
    await admin.createClient({
      clientId: 'another-application',
      secret: keycloak.settings.KEYCLOAK_CLIENT_SECRET,
      directAccessGrantsEnabled: true,
    });
  });
  after(async () => {
    await connections?.close();
    await database?.close();
    await keycloak?.close();
    await rm(dir, { recursive: true, force: true });
  });

  identityContract(() => ({
    credentials: ada,
    user: { name: 'Ada Lovelace', role: 'admin' },
    issuer_url: realm().issuer_url,
    connect,
  }));

  describe('with the realm that the project ships', () => {
    let identity: Identity;
    before(async () => {
      identity = await open();
    });
    after(() => identity?.close());

    const claimsOf = async (who: { email: string; password: string }) =>
      identity.verify((await identity.login(who)).access_token);

    it('takes the tenant from the claim, and the realm for the tenant of who has none', async () => {
      expect((await claimsOf(ada)).tenant_id).to.equal(TENANT);
      expect((await claimsOf(bob)).tenant_id).to.equal(tenantOfRealm(REALM));
    });

    for (const [group, role] of [
      ['admins', 'admin'],
      ['developers', 'developer'],
      ['viewers', 'viewer'],
    ] as const) {
      it(`gives the members of ${group} the role ${role}`, async () => {
        const member = { email: `${role}@example.com`, password: 'Correct-Horse-3' };
        await admin.createUser({ ...member, groups: [group] });
        expect(await claimsOf(member)).to.include({ role, email: member.email });
      });
    }

    it('treats a user without a role as a viewer', async () => {
      expect(await claimsOf(bob)).to.include({ role: 'viewer', email: bob.email });
    });

    it('does not let people choose their tenant themselves', async () => {
      const token = await fetch(`${realm().issuer_url}/protocol/openid-connect/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'password',
          client_id: 'admin-cli',
          username: bob.email,
          ...bob,
          scope: 'openid',
        }),
      });
      const { access_token } = (await token.json()) as { access_token: string };
      const account = `${realm().issuer_url}/account`;
      const headers = {
        authorization: `Bearer ${access_token}`,
        'content-type': 'application/json',
        accept: 'application/json',
      };
      const mine = (await (await fetch(account, { headers })).json()) as object;
      const change = async (changes: object) =>
        (await fetch(account, { method: 'POST', headers, body: JSON.stringify({ ...mine, ...changes }) })).status;
      expect(await change({ lastName: 'Baumeister' }), 'a name, which everybody may change').to.equal(204);
      expect((await claimsOf(bob)).name).to.equal('Bob Baumeister');
      await change({ attributes: { tenant_id: [TENANT] } });
      expect((await claimsOf(bob)).tenant_id).to.equal(tenantOfRealm(REALM));
    });

    it('ends the session in Keycloak at logout', async () => {
      const carol = { email: 'carol@example.com', password: 'Correct-Horse-4' };
      const id = await admin.createUser(carol);
      const tokens = await identity.login(carol);
      expect(await admin.countSessions(id)).to.equal(1);
      await identity.logout(tokens);
      expect(await admin.countSessions(id)).to.equal(0);
    });

    it('refuses a user that was disabled, when the access token has expired at the latest', async () => {
      const dave = { email: 'dave@example.com', password: 'Correct-Horse-5' };
      const id = await admin.createUser(dave);
      const tokens = await identity.login(dave);
      await admin.disableUser(id);
      expect(await failureOf(identity.login(dave))).to.include({ code: 'invalid-credentials' });
      expect(await failureOf(identity.refresh(tokens.refresh_token))).to.include({ code: 'invalid-refresh-token' });
      expect(tokens.expires_in).to.be.at.most(300);
    });

    it('locks an account for a while after too many wrong passwords', async () => {
      const erin = { email: 'erin@example.com', password: 'Correct-Horse-6' };
      await admin.createUser(erin);
      for (let guess = 0; guess < 5; guess += 1) {
        expect(await failureOf(identity.login({ ...erin, password: `Wrong-${guess}` }))).to.include({
          code: 'invalid-credentials',
        });
      }
      expect(await failureOf(identity.login(erin))).to.include({ code: 'invalid-credentials' });
    });

    for (const kind of ['rsa-generated', 'ecdsa-generated'] as const) {
      it(`takes tokens of a new key without a restart, and those of the old one still (${kind})`, async () => {
        const before = await identity.login(ada);
        await identity.verify(before.access_token);
        await admin.addSigningKey(kind);
        if (kind === 'ecdsa-generated') await admin.changeRealm({ defaultSignatureAlgorithm: 'ES256' });
        const after = await identity.login(ada);
        const [old, rotated] = [before, after].map(({ access_token }) => decodeProtectedHeader(access_token));
        expect(rotated?.kid).not.to.equal(old?.kid);
        expect(rotated?.alg).to.equal(kind === 'rsa-generated' ? 'RS256' : 'ES256');
        expect(await identity.verify(after.access_token)).to.include({ email: ada.email });
        const fresh = await open();
        expect(await fresh.verify(before.access_token)).to.include({ email: ada.email });
        await fresh.close();
      });
    }
  });

  describe('in a browser', () => {
    it('signs in through its login page with a code and PKCE', async () => {
      await admin.changeClient('bud-serve-app', { redirectUris: [REDIRECT_URI] });
      const identity = await open();
      const browser = createBrowser();
      const { url, ...pending } = await identity.authorizationUrl({ redirect_uri: REDIRECT_URI });
      const { action } = formOf(await (await browser.get(url)).text());
      const fields = { username: ada.email, password: ada.password, credentialId: '' };
      const submitted = await browser.submit(action.replaceAll('&amp;', '&'), fields);
      const callback_url = locationOf(submitted, url);
      expect(callback_url).to.match(/^http:\/\/localhost:9081\/auth\/callback\?/);

      const wrong = await failureOf(identity.exchangeCode({ ...pending, callback_url, state: 'x'.repeat(43) }));
      expect(wrong).to.include({ code: 'invalid-authorization-code' });
      const tokens = await identity.exchangeCode({ ...pending, callback_url });
      expect(await identity.verify(tokens.access_token)).to.include({ email: ada.email, role: 'admin' });
      const again = await failureOf(identity.exchangeCode({ ...pending, callback_url }));
      expect(again).to.include({ kind: 'unauthenticated', code: 'invalid-authorization-code' });
      await identity.close();
    });

    it('is not sent to a page of somebody else: Keycloak knows where we are', async () => {
      const identity = await open();
      const { url } = await identity.authorizationUrl({ redirect_uri: 'https://evil.example.com/' });
      expect((await createBrowser().get(url)).status).to.equal(400);
      await identity.close();
    });

    it('cannot sign in without PKCE', async () => {
      const identity = await open();
      const url = new URL((await identity.authorizationUrl({ redirect_uri: REDIRECT_URI })).url);
      url.searchParams.delete('code_challenge');
      url.searchParams.delete('code_challenge_method');
      const answer = locationOf(await createBrowser().get(url.href), url.href);
      expect(answer).to.contain('error=invalid_request');
      await identity.close();
    });
  });

  describe('set up wrongly', () => {
    const unusable = async (options: Partial<OidcIdentityOptions>, transient = false): Promise<string> => {
      const failure = await failureOf(open(options));
      expect(failure, String(failure)).to.be.instanceOf(SystemUnusable).and.include({ system: 'Keycloak', transient });
      return String(failure);
    };

    it('says that the realm is missing', async () => {
      const missing = realm({ name: 'nowhere', issuer_url: `${keycloak.url}/realms/nowhere` });
      expect(await unusable({ realms: [missing] }))
        .to.contain('"nowhere"')
        .and.contain('KEYCLOAK_REALM');
    });

    it('says that the client secret is wrong, without repeating it', async () => {
      const message = await unusable({ client_secret: 'not-the-secret' });
      expect(message).to.contain('KEYCLOAK_CLIENT_SECRET').and.not.to.contain('not-the-secret');
    });

    it('says that the client is unknown', async () => {
      expect(await unusable({ client_id: 'nobody' })).to.contain('KEYCLOAK_CLIENT_ID');
    });

    it('says that nobody answers, and that this may pass', async () => {
      const away = realm({ issuer_url: 'http://127.0.0.1:1/realms/bud-serve' });
      expect(await unusable({ realms: [away] }, true)).to.contain('KEYCLOAK_URL');
    });

    it('says that its tokens bear another address than the one that is configured', async () => {
      const moved = realm({ issuer_url: 'https://login.example.com/realms/bud-serve', reached_at: realm().issuer_url });
      expect(await unusable({ realms: [moved] }))
        .to.contain('KEYCLOAK_PUBLIC_URL')
        .and.contain('KC_HOSTNAME');
    });

    it('answers logins with unavailable, and logs the settings to check, when the secret changes', async () => {
      const identity = await open({ client_id: 'another-application' });
      await admin.changeClient('another-application', { secret: 'rotated-by-the-administrator' });
      lines.length = 0;
      const failure = await failureOf(identity.login(ada));
      expect(failure).to.be.instanceOf(Rejected).and.include({ kind: 'unavailable', code: 'identity-unavailable' });
      expect(lines.join()).to.contain('KEYCLOAK_CLIENT_SECRET').and.not.to.contain(ada.password);
      await identity.close();
    });
  });

  for (const [minutes, way] of [
    [2, 'ahead of'],
    [-2, 'behind'],
  ] as const) {
    it(`bears a clock that is two minutes ${way} Keycloak's, says so, and still keeps to a logout`, async () => {
      const identity = await connect({ ahead_ms: () => minutes * 60_000 });
      lines.length = 0;
      const first = await identity.login(ada);
      const second = await identity.refresh(first.refresh_token);
      expect(await identity.verify(second.access_token)).to.include({ email: ada.email });
      expect(lines.join()).to.match(new RegExp(`clock of this machine is 1[12]\\d s ${way} .*NTP`));
      await identity.logout(second);
      for (const { access_token } of [first, second]) {
        expect(await failureOf(identity.verify(access_token))).to.include({ code: 'revoked-token' });
      }
      await identity.close();
    });
  }

  it('is not needed for tokens that it gave, and missed by those who want new ones', async function () {
    this.timeout(120_000);
    const identity = await open();
    const [seen, unseen] = [await identity.login(ada), await identity.login(bob)];
    await identity.verify(seen.access_token);
    await keycloak.stop();
    try {
      expect(await identity.verify(seen.access_token)).to.include({ email: ada.email });
      expect(await identity.verify(unseen.access_token)).to.include({ email: bob.email });
      for (const attempt of [() => identity.login(ada), () => identity.refresh(seen.refresh_token)]) {
        const failure = await failureOf(attempt());
        expect(failure).to.be.instanceOf(Rejected).and.include({ kind: 'unavailable', code: 'identity-unavailable' });
        expect(failure).to.have.property('retryAfterSeconds').that.is.greaterThan(0);
      }
    } finally {
      await keycloak.start();
    }
    expect(await identity.login(ada)).to.have.property('access_token');
    await identity.close();
  });
});
