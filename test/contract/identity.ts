import { expect } from 'chai';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { Rejected } from '../../src/errors.ts';
import type { Identity } from '../../src/ports/identity.ts';
import { eventually } from '../eventually.ts';
import { failureOf } from '../failure-of.ts';

/** An identity provider with one user, and adapters that talk to it, each as in a process of its own. */
export interface IdentityUnderTest {
  credentials: { email: string; password: string };
  user: { name: string; role: string };
  issuer_url: string;
  /** `ahead_ms`: how far this process's clock goes before the provider's. */
  connect(options?: { ahead_ms?: () => number; client_id?: string }): Promise<Identity>;
}

const refused = async (promise: Promise<unknown>, code: string): Promise<unknown> => {
  const failure = await failureOf(promise);
  expect(failure, String(failure)).to.be.instanceOf(Rejected);
  return expect(failure).to.include({ kind: 'unauthenticated', code });
};

/** Claims of a token, unchecked. */
const payloadOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));

/** What every identity provider behind the port must do. */
export const identityContract = (underTest: () => IdentityUnderTest): void => {
  let identity: Identity;

  // One after the other: Keycloak takes two logins of one user at the same time for an attack.
  const loginTwice = async () => [
    await identity.login(underTest().credentials),
    await identity.login(underTest().credentials),
  ];

  before(async () => {
    identity = await underTest().connect();
  });
  after(() => identity?.close());

  it('logs a user in and knows them by their token', async () => {
    const { credentials, user } = underTest();
    const tokens = await identity.login(credentials);
    expect(tokens).to.include({ token_type: 'Bearer' });
    expect(tokens.expires_in).to.be.greaterThan(0);
    const claims = await identity.verify(tokens.access_token);
    expect(claims).to.include({ email: credentials.email, ...user });
    expect(claims.tenant_id).to.match(/^[0-9a-f-]{36}$/);
    expect(claims.expires_at).to.be.greaterThan(Date.now() / 1000);
    expect(await identity.verify(tokens.access_token)).to.deep.equal(claims);
  });

  it('gives every token an id of its own, and the same user the same subject', async () => {
    const [first, second] = await loginTwice();
    const [a, b] = await Promise.all([first, second].map((tokens) => identity.verify(tokens?.access_token ?? '')));
    expect(a?.subject).to.equal(b?.subject);
    expect(a?.token_id).not.to.equal(b?.token_id);
  });

  it('refuses a wrong password and an unknown user alike', async () => {
    const { email } = underTest().credentials;
    const wrong = await failureOf(identity.login({ email, password: 'Not-the-1-password' }));
    const unknown = await failureOf(identity.login({ email: 'nobody@example.com', password: 'Not-the-1-password' }));
    for (const failure of [wrong, unknown]) {
      expect(failure).to.be.instanceOf(Rejected).and.include({ kind: 'unauthenticated', code: 'invalid-credentials' });
    }
    expect(String(wrong)).to.equal(String(unknown));
  });

  for (const token of ['', 'x', 'a.b.c', 'eyJhbGciOiJub25lIn0.e30.']) {
    it(`refuses ${JSON.stringify(token)}, which is no token`, () => refused(identity.verify(token), 'invalid-token'));
  }

  it('refuses a token whose claims were changed', async () => {
    const { access_token } = await identity.login(underTest().credentials);
    const [header = '', , signature = ''] = access_token.split('.');
    const claims = { ...payloadOf(access_token), sub: 'somebody-else', roles: ['admin'] };
    const changed = [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
    await refused(identity.verify(changed), 'invalid-token');
  });

  it("refuses a token signed with a key that is not the provider's", async () => {
    const { access_token } = await identity.login(underTest().credentials);
    const header = JSON.parse(Buffer.from(access_token.split('.')[0] ?? '', 'base64url').toString('utf8'));
    const { privateKey, publicKey } = await generateKeyPair(header.alg, { extractable: true });
    const forged = await new SignJWT(payloadOf(access_token)).setProtectedHeader(header).sign(privateKey);
    await refused(identity.verify(forged), 'invalid-token');
    const withOwnKey = { ...header, jwk: await exportJWK(publicKey) };
    const bringsKey = await new SignJWT(payloadOf(access_token)).setProtectedHeader(withOwnKey).sign(privateKey);
    await refused(identity.verify(bringsKey), 'invalid-token');
  });

  it('refuses a token that was made for another application', async () => {
    const other = await underTest().connect({ client_id: 'another-application' });
    const { access_token } = await identity.login(underTest().credentials);
    await refused(other.verify(access_token), 'invalid-token');
    await other.close();
  });

  it('refuses an expired token, even one that it knew as good', async () => {
    let ahead = 0;
    const [known, unknown] = await Promise.all([1, 2].map(() => underTest().connect({ ahead_ms: () => ahead })));
    const { access_token, expires_in } = await identity.login(underTest().credentials);
    await known?.verify(access_token);
    ahead = (expires_in + 30) * 1000;
    for (const each of [known, unknown]) {
      await refused(each?.verify(access_token) ?? Promise.resolve(), 'expired-token');
      await each?.close();
    }
  });

  it('tolerates clocks that differ by a few seconds', async () => {
    const { access_token, expires_in } = await identity.login(underTest().credentials);
    const ahead = await underTest().connect({ ahead_ms: () => (expires_in + 2) * 1000 });
    expect(await ahead.verify(access_token)).to.have.property('subject');
    await ahead.close();
  });

  it('gives new tokens for a refresh token, once', async () => {
    const first = await identity.login(underTest().credentials);
    const second = await identity.refresh(first.refresh_token);
    expect(second.refresh_token).not.to.equal(first.refresh_token);
    expect((await identity.verify(second.access_token)).email).to.equal(underTest().credentials.email);
    await refused(identity.refresh(first.refresh_token), 'invalid-refresh-token');
  });

  it('ends the whole session when a refresh token is used twice: one of the two was stolen', async () => {
    const first = await identity.login(underTest().credentials);
    const second = await identity.refresh(first.refresh_token);
    await refused(identity.refresh(first.refresh_token), 'invalid-refresh-token');
    await refused(identity.refresh(second.refresh_token), 'invalid-refresh-token');
  });

  it('refuses an empty password and an empty e-mail', async () => {
    await refused(identity.login({ ...underTest().credentials, password: '' }), 'invalid-credentials');
    await refused(identity.login({ ...underTest().credentials, email: '' }), 'invalid-credentials');
  });

  for (const token of ['', 'nothing-like-a-token']) {
    it(`refuses ${JSON.stringify(token)} as a refresh token`, () =>
      refused(identity.refresh(token), 'invalid-refresh-token'));
  }

  it('refuses both tokens after logout, at once here and soon in every other process', async () => {
    const elsewhere = await underTest().connect();
    const tokens = await identity.login(underTest().credentials);
    await elsewhere.verify(tokens.access_token);
    await identity.logout(tokens);
    await refused(identity.verify(tokens.access_token), 'revoked-token');
    await refused(identity.refresh(tokens.refresh_token), 'invalid-refresh-token');
    await eventually('it is refused elsewhere', () => refused(elsewhere.verify(tokens.access_token), 'revoked-token'));
    await elsewhere.close();
  });

  it('refuses after logout the tokens that a refreshed session has left behind, too', async () => {
    const elsewhere = await underTest().connect();
    const first = await identity.login(underTest().credentials);
    const second = await identity.refresh(first.refresh_token);
    await elsewhere.verify(first.access_token);
    await identity.logout(second);
    await refused(identity.verify(first.access_token), 'revoked-token');
    await eventually('it is refused elsewhere', () => refused(elsewhere.verify(first.access_token), 'revoked-token'));
    await elsewhere.close();
  });

  it('leaves other sessions of the user alone at logout', async () => {
    const [mine, other] = await loginTwice();
    await identity.logout(mine ?? { access_token: '' });
    expect(await identity.verify(other?.access_token ?? '')).to.have.property('subject');
    expect(await identity.refresh(other?.refresh_token ?? '')).to.have.property('access_token');
  });

  it('can log out twice, and without a refresh token', async () => {
    const tokens = await identity.login(underTest().credentials);
    await identity.logout({ access_token: tokens.access_token });
    await identity.logout(tokens);
    await refused(identity.verify(tokens.access_token), 'revoked-token');
  });

  it('refuses to log out a token that it never gave', () =>
    refused(identity.logout({ access_token: 'a.b.c' }), 'invalid-token'));
};
