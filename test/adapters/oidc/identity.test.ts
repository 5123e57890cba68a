import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Pool } from 'pg';
import { z } from 'zod';
import { createOidcIdentity, type OidcIdentityOptions } from '../../../src/adapters/oidc/identity.ts';
import { createRevocations } from '../../../src/adapters/oidc/revocations.ts';
import { Rejected, SystemUnusable } from '../../../src/errors.ts';
import {
  createLocalIdentityProvider,
  type LocalIdentityProvider,
} from '../../../src/local/identity/local-identity-provider.ts';
import { rotateSigningKey } from '../../../src/local/identity/provider-secrets.ts';
import type { Identity } from '../../../src/ports/identity.ts';
import { createLogger } from '../../../src/telemetry.ts';
import { createBrowser, formOf, locationOf } from '../../browser.ts';
import { CHEAP_PASSWORD } from '../../cheap-password.ts';
import { identityContract } from '../../contract/identity.ts';
import { failureOf } from '../../failure-of.ts';
import { openPool } from '../../pool.ts';
import { testDatabase } from '../../postgres.ts';

const log = createLogger({ level: 'silent' });
const REDIRECT_URI = 'http://localhost:9081/auth/callback';
const admin = { email: 'admin@budapp.local', password: 'Correct-Horse-1' };

describe('oidc identity over the local provider', () => {
  let data_dir: string;
  let provider: LocalIdentityProvider;
  let database: Awaited<ReturnType<typeof testDatabase>>;
  let connections: ReturnType<typeof openPool>;
  let pool: Pool;

  const start = () => createLocalIdentityProvider({ data_dir, admin, password_cost: CHEAP_PASSWORD, log });

  const restart = async (between: () => Promise<void> = async () => {}) => {
    await provider.close();
    await between();
    provider = await start();
  };

  const realm = (issuer_url = provider.issuer_url) => ({
    name: 'local',
    issuer_url,
    tenant: { by: 'claim' as const },
  });

  const connect = async (options: { ahead_ms?: () => number; client_id?: string } = {}): Promise<Identity> => {
    const { ahead_ms = () => 0, client_id = provider.client_id } = options;
    const revocations = await createRevocations({ pool, log, poll_ms: 50 });
    const identity = await createOidcIdentity({
      realms: [realm()],
      client_id,
      client_secret: provider.client_secret,
      redirect_uris: [REDIRECT_URI],
      revocations,
      log,
      jwks_cooldown_ms: 0,
      now: () => Date.now() + ahead_ms(),
    });
    const close = async () => {
      await identity.close();
      await revocations.close();
    };
    return { ...identity, close };
  };

  before(async () => {
    data_dir = await mkdtemp(join(tmpdir(), 'budapp-identity-'));
    database = await testDatabase();
    connections = openPool(database.connection_string, 4);
    pool = connections.pool;
    provider = await start();
  });
  after(async () => {
    await provider?.close();
    await connections?.close();
    await database?.close();
    await rm(data_dir, { recursive: true, force: true });
  });

  identityContract(() => ({
    credentials: admin,
    user: { name: 'Administrator', role: 'admin' },
    issuer_url: provider.issuer_url,
    connect,
  }));

  describe('in a browser', () => {
    let identity: Identity;
    before(async () => {
      identity = await connect();
    });
    after(() => identity.close());

    const openForm = async (browser = createBrowser()) => {
      const kept = await identity.authorizationUrl({ redirect_uri: REDIRECT_URI });
      const page = locationOf(await browser.get(kept.url), kept.url);
      const shown = await browser.get(page);
      const form = formOf(await shown.text());
      return { browser, kept, page, shown, action: new URL(form.action, page).href, hidden: form.hidden };
    };

    /** From the submitted form back to BudApp's own address. */
    const callbackOf = async (browser: ReturnType<typeof createBrowser>, response: Response, from: string) => {
      const resume = locationOf(response, from);
      return locationOf(await browser.get(resume), resume);
    };

    it('signs in through the login form with a code and PKCE', async () => {
      const { browser, kept, action, hidden } = await openForm();
      const submitted = await browser.submit(action, { ...hidden, ...admin });
      expect(submitted.status).to.equal(303);
      const callback_url = await callbackOf(browser, submitted, action);
      expect(callback_url).to.match(/^http:\/\/localhost:9081\/auth\/callback\?code=/);
      const exchange = { ...kept, callback_url };
      const tokens = await identity.exchangeCode(exchange);
      expect(await identity.verify(tokens.access_token)).to.include({ email: admin.email, role: 'admin' });
      expect(await identity.refresh(tokens.refresh_token)).to.have.property('access_token');

      const again = await failureOf(identity.exchangeCode(exchange));
      expect(again).to.include({ kind: 'unauthenticated', code: 'invalid-authorization-code' });
    });

    it('needs the code verifier and the state that it began with', async () => {
      const { browser, kept, action, hidden } = await openForm();
      const callback_url = await callbackOf(browser, await browser.submit(action, { ...hidden, ...admin }), action);
      const exchange = { ...kept, callback_url };
      for (const wrong of [{ state: 'x'.repeat(43) }, { code_verifier: 'y'.repeat(43) }]) {
        const failure = await failureOf(identity.exchangeCode({ ...exchange, ...wrong }));
        expect(failure, String(failure)).to.be.instanceOf(Rejected);
        expect(failure).to.include({ kind: 'unauthenticated', code: 'invalid-authorization-code' });
      }
    });

    it('shows the form again where the password is wrong, with the e-mail but not the password', async () => {
      const { browser, action, hidden } = await openForm();
      const response = await browser.submit(action, { ...hidden, email: 'a"><b>@x', password: 'Wrong-Password-1' });
      const html = await response.text();
      expect(response.status).to.equal(401);
      expect(html).to.contain('The e-mail or the password is wrong.').and.not.to.contain('Wrong-Password-1');
      expect(html).not.to.contain('"><b>');
    });

    it('refuses a form without its secret, and one from another browser', async () => {
      const { browser, action, hidden } = await openForm();
      expect((await browser.submit(action, admin)).status).to.equal(403);
      expect((await createBrowser().submit(action, { ...hidden, ...admin })).status).to.equal(400);
    });

    it('may not be framed, cached, or run any script', async () => {
      const { shown } = await openForm();
      expect(shown.headers.get('content-security-policy'))
        .to.contain("default-src 'none'")
        .and.contain("frame-ancestors 'none'");
      expect(shown.headers.get('cache-control')).to.equal('no-store');
    });

    it('does not open an ID token, though the same keys signed it', async () => {
      const { browser, kept, action, hidden } = await openForm();
      const callback = new URL(
        await callbackOf(browser, await browser.submit(action, { ...hidden, ...admin }), action),
      );
      const response = await fetch(`${provider.issuer_url}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${provider.client_id}:${provider.client_secret}`)}` },
        body: new URLSearchParams({
          grant_type: 'authorization_code',
          code: callback.searchParams.get('code') ?? '',
          code_verifier: kept.code_verifier,
          redirect_uri: REDIRECT_URI,
        }),
      });
      const { id_token } = z.object({ id_token: z.string() }).parse(await response.json());
      expect(await failureOf(identity.verify(id_token))).to.include({ code: 'invalid-token' });
    });

    it('refuses to send a browser anywhere else', async () => {
      const failure = await failureOf(identity.authorizationUrl({ redirect_uri: 'https://evil.example.com/' }));
      expect(failure).to.be.instanceOf(Rejected).and.include({ kind: 'invalid', code: 'unknown-redirect-uri' });
    });
  });

  it('keeps tokens good across a restart of the provider', async () => {
    const identity = await connect();
    const tokens = await identity.login(admin);
    await restart();
    expect(await identity.verify(tokens.access_token)).to.include({ email: admin.email });
    expect(await identity.refresh(tokens.refresh_token)).to.have.property('access_token');
    await identity.close();
  });

  it('takes tokens of a new signing key without a restart of its own, and those of the old one still', async () => {
    const identity = await connect();
    const before = await identity.login(admin);
    await identity.verify(before.access_token);
    await restart(() => rotateSigningKey(join(data_dir, 'identity')));
    const after = await identity.login(admin);
    const [kidBefore, kidAfter] = [before, after].map((tokens) => atob(tokens.access_token.split('.')[0] ?? ''));
    expect(kidBefore).not.to.equal(kidAfter);
    expect(await identity.verify(after.access_token)).to.include({ email: admin.email });
    const fresh = await connect();
    expect(await fresh.verify(before.access_token)).to.include({ email: admin.email });
    await fresh.close();
    await identity.close();
  });

  it('slows down guessing of a password, and says for how long', async () => {
    const { email } = await provider.createUser({
      email: 'guessed@budapp.local',
      password: 'Right-Password-1',
      name: 'G',
      role: 'viewer',
    });
    const identity = await connect();
    for (let guess = 0; guess < 5; guess += 1) {
      expect(await failureOf(identity.login({ email, password: `Wrong-${guess}` }))).to.include({
        code: 'invalid-credentials',
      });
    }
    const failure = await failureOf(identity.login({ email, password: 'Right-Password-1' }));
    expect(failure).to.be.instanceOf(Rejected).and.include({ kind: 'too-many', code: 'too-many-attempts' });
    expect(failure).to.have.property('retryAfterSeconds').that.is.within(1, 60);
    expect(await identity.login(admin)).to.have.property('access_token');
    await identity.close();
  });

  it('says that the provider cannot be reached, instead of refusing the user', async () => {
    const identity = await connect();
    const tokens = await identity.login(admin);
    await identity.verify(tokens.access_token);
    const { issuer_url, client_id, client_secret } = provider;
    await provider.close();
    const revocations = await createRevocations({ pool, log });
    const attempts = [() => identity.login(admin), () => identity.refresh(tokens.refresh_token)];
    for (const attempt of attempts) {
      const failure = await failureOf(attempt());
      expect(failure).to.be.instanceOf(Rejected).and.include({ kind: 'unavailable', code: 'identity-unavailable' });
    }
    const realms = [realm(issuer_url)] as const;
    const opening = await failureOf(createOidcIdentity({ realms, client_id, client_secret, revocations, log }));
    expect(opening).to.be.instanceOf(SystemUnusable).and.include({ system: 'Keycloak', transient: true });
    expect(opening).to.have.property('settings').that.includes('KEYCLOAK_URL');
    expect(await identity.verify(tokens.access_token), 'a known token needs no provider').to.have.property('subject');
    await revocations.close();
    await identity.close();
    provider = await start();
  });

  const opening = async (options: Partial<OidcIdentityOptions>) => {
    const revocations = await createRevocations({ pool, log });
    const { client_id, client_secret } = provider;
    const failure = await failureOf(
      createOidcIdentity({ realms: [realm()], client_id, client_secret, revocations, log, ...options }),
    );
    await revocations.close();
    return failure;
  };

  it('refuses a provider over plain http that is not on this machine', async () => {
    const failure = await opening({ realms: [realm('http://login.example.com')] });
    expect(failure).to.be.instanceOf(SystemUnusable).and.include({ transient: false });
    expect(String(failure)).to.contain('https').and.contain('KEYCLOAK_ALLOW_HTTP');
  });

  it('refuses a provider whose tokens would bear another issuer', async () => {
    const moved = { ...realm('http://localhost:1'), reached_at: provider.issuer_url };
    const failure = await opening({ realms: [moved] });
    expect(failure).to.be.instanceOf(SystemUnusable).and.include({ transient: false });
    expect(String(failure)).to.contain('KEYCLOAK_PUBLIC_URL').and.contain(provider.issuer_url);
  });

  it('refuses an address where something else than a provider answers', async () => {
    const failure = await opening({ realms: [realm(`${provider.issuer_url}/jwks`)] });
    expect(failure).to.be.instanceOf(SystemUnusable).and.include({ transient: false });
    expect(String(failure)).to.contain('KEYCLOAK_REALM');
  });

  it('refuses to log anybody in to a realm that is not configured', async () => {
    const identity = await connect();
    const attempts = [
      identity.login({ ...admin, realm: 'elsewhere' }),
      identity.authorizationUrl({ redirect_uri: REDIRECT_URI, realm: 'elsewhere' }),
    ];
    for (const attempt of attempts) {
      expect(await failureOf(attempt)).to.include({ kind: 'invalid', code: 'unknown-realm' });
    }
    expect(await identity.login({ ...admin, realm: 'local' })).to.have.property('access_token');
    await identity.close();
  });
});
