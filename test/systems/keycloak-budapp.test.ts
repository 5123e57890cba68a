import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { tenantOfRealm } from '../../src/adapters/oidc/realm-tenant.ts';
import { checkedFetch } from '../api/checked-fetch.ts';
import { createBrowser, formOf, locationOf } from '../browser.ts';
import { asking, expectProblem, type Reply } from '../e2e/asking.ts';
import { type BudApp, startBudApp } from '../e2e/budapp.ts';
import { tenantIsolation } from '../e2e/tenant-isolation.ts';
import { eventually } from '../eventually.ts';
import { startKeycloak } from './servers/keycloak.ts';
import { createKeycloakAdmin, type KeycloakAdmin } from './servers/keycloak-admin.ts';

const [NORTH, SOUTH] = ['bud-serve', 'bud-south'];
const CLIENT = 'bud-serve-app';
const amber = { email: 'amber@example.com', password: 'Correct-Horse-1' };
const basil = { email: 'basil@example.com', password: 'Correct-Horse-2' };

describe('BudApp with Keycloak', function () {
  this.timeout(60_000);
  let dir: string;
  let keycloak: Awaited<ReturnType<typeof startKeycloak>>;
  let budapp: BudApp;
  let north: KeycloakAdmin;
  let south: KeycloakAdmin;

  /** The realm that the project ships, under another name. */
  const templateOf = async (secret: string) => {
    const file = new URL('../../deploy/keycloak/bud-serve-realm.json', import.meta.url);
    const text = (await readFile(file, 'utf8')).replaceAll(/\$\{([A-Z_]+)(?::([^}]*))?\}/g, (_all, name, value) =>
      name === 'KEYCLOAK_CLIENT_SECRET' ? secret : value,
    );
    return JSON.parse(text) as Record<string, unknown>;
  };

  const ask = (...request: Parameters<ReturnType<typeof asking>>) => asking(budapp.url)(...request);
  const login = async (who: { email: string; password: string; realm?: string }) => {
    const { status, body } = await ask('POST', '/auth/login', { json: who });
    expect(status, JSON.stringify(body)).to.equal(200);
    return { ...(body as { access_token: string; refresh_token: string }), ask: asking(budapp.url, body.access_token) };
  };

  const pointAt = (admin: KeycloakAdmin) =>
    admin.changeClient(CLIENT, {
      redirectUris: [`${budapp.url}/auth/callback`],
      attributes: { 'backchannel.logout.url': `${budapp.url}/auth/backchannel-logout` },
    });

  before(async function () {
    this.timeout(300_000);
    dir = await mkdtemp(join(tmpdir(), 'budapp-keycloak-'));
    keycloak = await startKeycloak({ dir });
    north = createKeycloakAdmin(keycloak, NORTH);
    south = createKeycloakAdmin(keycloak, SOUTH);
    await south.createRealm(await templateOf(keycloak.settings.KEYCLOAK_CLIENT_SECRET ?? ''));
    await north.createUser({ ...amber, first_name: 'Amber', groups: ['admins'] });
    // The realm's administrator claims the other realm's tenant for this user.
    await south.createUser({ ...basil, first_name: 'Basil', groups: ['admins'], tenant_id: tenantOfRealm(NORTH) });
    budapp = await startBudApp(join(dir, 'budapp'), { ...keycloak.settings, KEYCLOAK_REALM: `${NORTH},${SOUTH}` });
    await pointAt(north);
    await pointAt(south);
  });
  after(async () => {
    await budapp?.stop();
    await keycloak?.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('registers a user at the first login', async () => {
    const carol = { email: 'carol@example.com', password: 'Correct-Horse-3' };
    await north.createUser({ ...carol, first_name: 'Carol', last_name: 'Kay', groups: ['developers'] });
    const { ask: asCarol } = await login(carol);
    const me = await asCarol('GET', '/auth/me');
    expect(me.body).to.include({ email: carol.email, name: 'Carol Kay', role: 'developer' });
    expect(me.body.tenant_id).to.equal(tenantOfRealm(NORTH));
    expect((await asCarol('GET', `/projects/${me.body.default_project_id}`)).status).to.equal(200);
    const { ask: asAmber } = await login(amber);
    const listed = await asAmber('GET', `/users/${me.body.user_id}`);
    expect(listed.body).to.include({ email: carol.email, status: 'active' });
  });

  it('follows a role that is taken away or given in Keycloak, from the next token on', async () => {
    const dora = { email: 'dora@example.com', password: 'Correct-Horse-4' };
    const id = await north.createUser({ ...dora, first_name: 'Dora', groups: ['admins'] });
    const roleOf = async ({ ask }: { ask: Awaited<ReturnType<typeof login>>['ask'] }) =>
      (await ask('GET', '/auth/me')).body.role;
    const first = await login(dora);
    expect(await roleOf(first)).to.equal('admin');
    await north.changeGroups(id, []);
    const second = await login(dora);
    expect([await roleOf(second), await roleOf(first)]).to.deep.equal(['viewer', 'viewer']);
    await north.changeGroups(id, ['developers']);
    // Tokens say to the second when they were made.
    await eventually('a token of a later second is a developer', async () =>
      (await roleOf(await login(dora))) === 'developer' ? true : null,
    );
  });

  it('refuses a wrong password, and a realm that it does not serve', async () => {
    const wrong = await ask('POST', '/auth/login', { json: { ...amber, password: 'Wrong-Password-1' } });
    expectProblem(wrong, 401, 'invalid-credentials');
    expectProblem(await ask('POST', '/auth/login', { json: { ...amber, realm: 'master' } }), 422, 'unknown-realm');
    expectProblem(await ask('POST', '/auth/login', { json: { ...amber, realm: SOUTH } }), 401, 'invalid-credentials');
    expectProblem(await ask('GET', '/auth/authorize?realm=master'), 422, 'unknown-realm');
  });

  it('leaves making accounts to Keycloak', async () => {
    const reply = await ask('POST', '/auth/register', { json: { ...amber, name: 'Amber' } });
    expectProblem(reply, 501, 'not-offered');
  });

  for (const [realm, who] of [
    [NORTH, amber],
    [SOUTH, basil],
  ] as const) {
    it(`logs in, refreshes and logs out a user of ${realm}`, async () => {
      const session = await login({ ...who, realm });
      const me = await session.ask('GET', '/auth/me');
      expect(me.body).to.include({ email: who.email, tenant_id: tenantOfRealm(realm) });
      const refreshed = await ask('POST', '/auth/refresh', { json: { refresh_token: session.refresh_token } });
      expect(refreshed.status).to.equal(200);
      const again = await ask('POST', '/auth/refresh', { json: { refresh_token: session.refresh_token } });
      // The answer may have been lost: for some seconds the same token has the same successor.
      expect(again.status).to.equal(200);
      expect(again.body.refresh_token).to.equal(refreshed.body.refresh_token);
      const { access_token, refresh_token } = (await login({ ...who, realm })) as Reply['body'];
      const own = asking(budapp.url, access_token);
      expect((await own('POST', '/auth/logout', { json: { refresh_token } })).status).to.equal(204);
      expectProblem(await own('GET', '/auth/me'), 401, 'revoked-token');
      expectProblem(await ask('POST', '/auth/refresh', { json: { refresh_token } }), 401, 'invalid-refresh-token');
    });

    it(`signs a browser in through the page of ${realm}`, async () => {
      const browser = createBrowser((url, init) => (url.startsWith(budapp.url) ? checkedFetch : fetch)(url, init));
      const begin = `${budapp.url}/auth/authorize?realm=${realm}`;
      const page = locationOf(await browser.get(begin), begin);
      expect(page).to.contain(`/realms/${realm}/`);
      const { action } = formOf(await (await browser.get(page)).text());
      const fields = { username: who.email, password: who.password, credentialId: '' };
      const back = locationOf(await browser.submit(action.replaceAll('&amp;', '&'), fields), page);
      const signedIn = await browser.get(back);
      const tokens = (await signedIn.json()) as { access_token: string };
      expect(signedIn.status, JSON.stringify(tokens)).to.equal(200);
      const me = await asking(budapp.url, tokens.access_token)('GET', '/auth/me');
      expect(me.body).to.include({ email: who.email, role: 'admin', tenant_id: tenantOfRealm(realm) });
    });
  }

  const isRefused = (own: ReturnType<typeof asking>) =>
    eventually('the sign-out', async () => {
      const reply = await own('GET', '/auth/me');
      return reply.status === 401 ? reply : null;
    });

  it('refuses all tokens of a session that the administrator ends in Keycloak, and no others', async () => {
    const dave = { email: 'dave@example.com', password: 'Correct-Horse-4' };
    const id = await south.createUser({ ...dave, groups: ['viewers'] });
    const ended = await login({ ...dave, realm: SOUTH });
    const other = await login({ ...dave, realm: SOUTH });
    const { body } = await ask('POST', '/auth/refresh', { json: { refresh_token: ended.refresh_token } });
    const ofEnded = [ended.ask, asking(budapp.url, body.access_token)];
    for (const own of [...ofEnded, other.ask]) expect((await own('GET', '/auth/me')).status).to.equal(200);

    await south.endSession(String(decodeJwt(ended.access_token).sid));
    for (const own of ofEnded) expectProblem(await isRefused(own), 401, 'revoked-token');
    expect((await other.ask('GET', '/auth/me')).status).to.equal(200);

    await south.signOut(id);
    expectProblem(await isRefused(other.ask), 401, 'revoked-token');
    expect((await (await login({ ...dave, realm: SOUTH })).ask('GET', '/auth/me')).status).to.equal(200);
  });

  it('refuses what is no logout token, as the specification says', async () => {
    const { access_token } = await login(amber);
    for (const logout_token of ['', 'nonsense', access_token]) {
      const reply = await ask('POST', '/auth/backchannel-logout', { body: new URLSearchParams({ logout_token }) });
      expectProblem(reply, 400, 'invalid-logout-token');
      expect(reply.body).to.include({ error: 'invalid_request' });
      expect(reply.headers.get('cache-control')).to.equal('no-store');
    }
    expect((await asking(budapp.url, access_token)('GET', '/auth/me')).status).to.equal(200);
  });

  describe('two realms, each a tenant', () => {
    tenantIsolation(() => ({ url: budapp.url, amber, basil: { ...basil, realm: SOUTH } }));
  });
});
