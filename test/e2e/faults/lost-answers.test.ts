import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createBrowser, formOf, locationOf } from '../../browser.ts';
import { type Ask, admin, asking } from '../asking.ts';
import { ADMIN, type BudApp, startBudApp } from '../budapp.ts';

describe('a sign-in whose answers get lost', function () {
  this.timeout(120_000);
  let dataDir = '';
  let budapp: BudApp;
  let nobody: Ask;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'budapp-lost-'));
    budapp = await startBudApp(dataDir);
    nobody = asking(budapp.url);
  });
  after(async () => {
    await budapp.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  /** Sends a request, and hangs up when its answer begins. */
  const lose = (path: string, json: unknown, headers: Record<string, string> = {}): Promise<number> => {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const content = { 'content-type': 'application/json', ...headers };
    const sent = request(new URL(path, budapp.url), { method: 'POST', headers: content }, (response) => {
      response.destroy();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(json));
    return promise;
  };

  it('refreshes again, and at once twice, with the same successor', async () => {
    const { refresh_token } = await admin(budapp.url);
    expect(await lose('/auth/refresh', { refresh_token })).to.equal(200);
    const refresh = (token: string) => nobody('POST', '/auth/refresh', { json: { refresh_token: token } });
    const [one, other] = await Promise.all([refresh(refresh_token), refresh(refresh_token)]);
    expect(one.status, JSON.stringify(one.body)).to.equal(200);
    expect(other.body).to.deep.equal(one.body);
    const me = await asking(budapp.url, one.body.access_token)('GET', '/auth/me');
    expect(me.status).to.equal(200);
    expect((await refresh(one.body.refresh_token)).status).to.equal(200);
  });

  it('registers again with the same key, and only the same person', async () => {
    const json = { email: 'lost@example.test', password: 'Battery-Staple-8', name: 'Lost' };
    const headers = { 'idempotency-key': 'a-registration' };
    expect(await lose('/auth/register', json, headers)).to.equal(201);
    const again = await nobody('POST', '/auth/register', { json, headers });
    expect(again.status, JSON.stringify(again.body)).to.equal(201);
    expect((await asking(budapp.url, again.body.access_token)('GET', '/auth/me')).body.email).to.equal(json.email);
    const stranger = { ...json, password: 'Another-Horse-9' };
    const { body } = await nobody('POST', '/auth/register', { json: stranger, headers });
    expect(body.code).to.equal('idempotency-key-reused');
    for (const key of [{}, { 'idempotency-key': 'another-one' }]) {
      expect((await nobody('POST', '/auth/register', { json, headers: key })).body.code).to.equal('email-taken');
    }
  });

  it('logs out again', async () => {
    const { ask, token, refresh_token } = await admin(budapp.url);
    const headers = { authorization: `Bearer ${token}` };
    expect(await lose('/auth/logout', { refresh_token }, headers)).to.equal(204);
    expect((await ask('GET', '/auth/me')).status).to.equal(401);
    expect((await ask('POST', '/auth/logout', { json: { refresh_token } })).status).to.equal(204);
    expect((await nobody('POST', '/auth/logout', { json: { refresh_token } })).body.code).to.equal('missing-token');
    const forged = asking(budapp.url, 'a.b.c');
    expect((await forged('POST', '/auth/logout', { json: {} })).body.code).to.equal('invalid-token');
  });

  it('completes the sign-in of a browser again', async () => {
    const browser = createBrowser();
    const start = `${budapp.url}/auth/authorize`;
    const provider = locationOf(await browser.get(start), start);
    const page = locationOf(await browser.get(provider), provider);
    const { action, hidden } = formOf(await (await browser.get(page)).text());
    const submitted = await browser.submit(new URL(action, page).href, { ...hidden, ...ADMIN });
    const resume = locationOf(submitted, page);
    const callback = locationOf(await browser.get(resume), resume);
    // Both are sent before the first answer takes the browser's cookie away.
    const [first, again] = await Promise.all([browser.get(callback), browser.get(callback)]);
    expect(first.status).to.equal(200);
    expect(await again.json()).to.deep.equal(await first.json());
  });
});
