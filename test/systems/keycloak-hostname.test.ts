import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { decodeJwt } from 'jose';
import { createOidcIdentity } from '../../src/adapters/oidc/identity.ts';
import { tenantOfRealm } from '../../src/adapters/oidc/realm-tenant.ts';
import { createRevocations } from '../../src/adapters/oidc/revocations.ts';
import { createLogger } from '../../src/telemetry.ts';
import { openPool } from '../pool.ts';
import { testDatabase } from '../postgres.ts';
import { startKeycloak } from './servers/keycloak.ts';
import { createKeycloakAdmin } from './servers/keycloak-admin.ts';

const PUBLIC_URL = 'https://login.example.com';
const ada = { email: 'ada@example.com', password: 'Correct-Horse-1' };

for (const dynamic of ['true', 'false']) {
  describe(`Keycloak that the world reaches under another name (hostname-backchannel-dynamic=${dynamic})`, function () {
    this.timeout(300_000);
    let dir: string;
    let keycloak: Awaited<ReturnType<typeof startKeycloak>>;
    let database: Awaited<ReturnType<typeof testDatabase>>;
    let connections: ReturnType<typeof openPool>;

    before(async () => {
      dir = await mkdtemp(join(tmpdir(), 'budapp-keycloak-'));
      const env = { KC_HOSTNAME: PUBLIC_URL, KC_HOSTNAME_STRICT: 'true', KC_HOSTNAME_BACKCHANNEL_DYNAMIC: dynamic };
      keycloak = await startKeycloak({ dir, env });
      await createKeycloakAdmin(keycloak, 'bud-serve').createUser({ ...ada, groups: ['admins'] });
      database = await testDatabase();
      connections = openPool(database.connection_string, 2);
    });
    after(async () => {
      await connections?.close();
      await database?.close();
      await keycloak?.close();
      await rm(dir, { recursive: true, force: true });
    });

    it('is reached by BudApp inside, and sends browsers and tokens out with its public name', async () => {
      const log = createLogger({ level: 'silent' });
      const revocations = await createRevocations({ pool: connections.pool, log });
      const path = '/realms/bud-serve';
      const identity = await createOidcIdentity({
        realms: [
          {
            name: 'bud-serve',
            issuer_url: `${PUBLIC_URL}${path}`,
            reached_at: `${keycloak.url}${path}`,
            tenant: { by: 'claim', default_tenant_id: tenantOfRealm('bud-serve') },
          },
        ],
        client_id: 'bud-serve-app',
        client_secret: keycloak.settings.KEYCLOAK_CLIENT_SECRET ?? '',
        revocations,
        log,
      });
      const tokens = await identity.login(ada);
      expect(decodeJwt(tokens.access_token).iss).to.equal(`${PUBLIC_URL}${path}`);
      expect(await identity.verify(tokens.access_token)).to.include({ email: ada.email, role: 'admin' });
      const refreshed = await identity.refresh(tokens.refresh_token);
      const { url } = await identity.authorizationUrl({ redirect_uri: 'http://localhost:9081/auth/callback' });
      expect(url).to.match(/^https:\/\/login\.example\.com\/realms\/bud-serve\//);
      await identity.logout(refreshed);
      await identity.close();
      await revocations.close();
    });
  });
}
