import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { Pool } from 'pg';
import { createOidcIdentity } from '../../../src/adapters/oidc/identity.ts';
import { repeatableIdentity } from '../../../src/adapters/oidc/repeatable-identity.ts';
import { createRevocations, type Revocations } from '../../../src/adapters/oidc/revocations.ts';
import { Rejected } from '../../../src/errors.ts';
import {
  createLocalIdentityProvider,
  type LocalIdentityProvider,
} from '../../../src/local/identity/local-identity-provider.ts';
import type { Identity } from '../../../src/ports/identity.ts';
import { createRepeatedAnswers } from '../../../src/postgres/repeated-answers.ts';
import { createLogger } from '../../../src/telemetry.ts';
import { createBrowser, formOf, locationOf } from '../../browser.ts';
import { CHEAP_PASSWORD } from '../../cheap-password.ts';
import { openPool } from '../../pool.ts';
import { testDatabase } from '../../postgres.ts';

const log = createLogger({ level: 'silent' });
const REDIRECT_URI = 'http://localhost:9081/auth/callback';
const admin = { email: 'admin@budapp.local', password: 'Correct-Horse-1' };
const GRACE_SECONDS = 2;

describe('an identity whose answers can be lost', () => {
  let data_dir: string;
  let provider: LocalIdentityProvider;
  let database: Awaited<ReturnType<typeof testDatabase>>;
  let connections: ReturnType<typeof openPool>;
  let pool: Pool;
  let revocations: Revocations;
  /** Two processes of one installation. */
  let here: Identity;
  let there: Identity;

  const connect = async (): Promise<Identity> => {
    const { issuer_url, client_id, client_secret } = provider;
    const realms = [{ name: 'local', issuer_url, tenant: { by: 'claim' as const } }] as const;
    const identity = await createOidcIdentity({
      realms,
      client_id,
      client_secret,
      redirect_uris: [REDIRECT_URI],
      revocations,
      log,
    });
    return repeatableIdentity(identity, { answers: createRepeatedAnswers({ pool }), grace_seconds: GRACE_SECONDS });
  };

  before(async () => {
    data_dir = await mkdtemp(join(tmpdir(), 'budapp-repeatable-'));
    database = await testDatabase();
    connections = openPool(database.connection_string, 6);
    pool = connections.pool;
    provider = await createLocalIdentityProvider({
      data_dir,
      admin,
      password_cost: CHEAP_PASSWORD,
      reuse_seconds: GRACE_SECONDS,
      log,
    });
    revocations = await createRevocations({ pool, log, poll_ms: 50 });
    [here, there] = [await connect(), await connect()];
  });
  after(async () => {
    await revocations.close();
    await provider.close();
    await connections.close();
    await database.close();
    await rm(data_dir, { recursive: true, force: true });
  });

  const codeOf = (outcome: Promise<unknown>): Promise<string> =>
    outcome.then(
      () => 'done',
      (error) => (error instanceof Rejected ? error.code : String(error)),
    );

  it('gives the same successor to who refreshes at once, or again, in whichever process', async () => {
    const { refresh_token } = await here.login(admin);
    const answers = await Promise.all([here, there, here, there].map((each) => each.refresh(refresh_token)));
    answers.push(await there.refresh(refresh_token));
    expect(new Set(answers.map((each) => JSON.stringify(each))).size).to.equal(1);
    const next = answers[0]?.refresh_token ?? '';
    expect(await codeOf(there.refresh(next))).to.equal('done');
  });

  it('ends the session of who uses a refresh token again later', async () => {
    const { refresh_token } = await here.login(admin);
    const next = await here.refresh(refresh_token);
    await sleep(GRACE_SECONDS * 1000 + 1100);
    expect(await codeOf(there.refresh(refresh_token))).to.equal('invalid-refresh-token');
    expect(await codeOf(here.refresh(next.refresh_token))).to.equal('invalid-refresh-token');
  });

  it('gives nothing after a logout, with the old token neither', async () => {
    const { refresh_token } = await here.login(admin);
    const next = await here.refresh(refresh_token);
    await there.logout(next);
    for (const token of [refresh_token, next.refresh_token]) {
      expect(await codeOf(here.refresh(token))).to.equal('invalid-refresh-token');
    }
  });

  it('goes on where a process ended between the provider and the answer', async () => {
    const { refresh_token } = await here.login(admin);
    await here.refresh(refresh_token);
    // As a crash leaves it: nothing was kept, and the lock has expired.
    await pool.query(
      "update repeated_answers set answer = null, leads_to = null, locked_until = now() - interval '1 s'",
    );
    expect(await codeOf(there.refresh(refresh_token))).to.equal('done');
  });

  it('keeps no token in clear', async () => {
    const { refresh_token } = await here.login(admin);
    const next = await here.refresh(refresh_token);
    const { rows } = await pool.query('select * from repeated_answers');
    for (const secret of [refresh_token, next.refresh_token, next.access_token]) {
      expect(JSON.stringify(rows)).not.to.contain(secret);
    }
  });

  it('keeps no refusal', async () => {
    const before = await pool.query('select from repeated_answers');
    expect(await codeOf(here.refresh('unknown'))).to.equal('invalid-refresh-token');
    expect((await pool.query('select from repeated_answers')).rowCount).to.equal(before.rowCount);
  });

  it('completes the sign-in of a browser again', async () => {
    const kept = await here.authorizationUrl({ redirect_uri: REDIRECT_URI });
    const browser = createBrowser();
    const page = locationOf(await browser.get(kept.url), kept.url);
    const { action, hidden } = formOf(await (await browser.get(page)).text());
    const submitted = await browser.submit(new URL(action, page).href, { ...hidden, ...admin });
    const resume = locationOf(submitted, page);
    const callback_url = locationOf(await browser.get(resume), resume);
    const first = await here.exchangeCode({ ...kept, callback_url });
    const again = await there.exchangeCode({ ...kept, callback_url });
    expect(again).to.deep.equal(first);
    expect(await codeOf(here.refresh(first.refresh_token))).to.equal('done');
  });
});
