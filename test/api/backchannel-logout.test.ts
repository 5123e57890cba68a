import { expect } from 'chai';
import { type RunningApi, startApi } from './running-api.ts';

describe('POST /auth/backchannel-logout', () => {
  let api: RunningApi;
  before(async () => {
    api = await startApi();
  });
  after(() => api?.close());

  const send = (body: string, type = 'application/x-www-form-urlencoded') =>
    api.request('POST', '/auth/backchannel-logout', { body, headers: { 'content-type': type } });

  it('ends the session that the logout token names, without any other credentials', async () => {
    const person = api.as({ email: 'ended@example.org', role: 'viewer' });
    expect((await person.get('/auth/me')).status).to.equal(200);
    const reply = await send(`logout_token=${person.token}&state=x`);
    expect(reply.status).to.equal(200);
    expect(reply.body).to.equal('');
    expect(reply.headers.get('cache-control')).to.equal('no-store');
    expect((await person.get('/auth/me')).body).to.include({ status: 401, code: 'revoked-token' });
  });

  for (const [title, body] of [
    ['no logout token', ''],
    ['an empty one', 'logout_token='],
    ['one that is none', 'logout_token=nonsense'],
  ] as const) {
    it(`refuses a form with ${title}`, async () => {
      const reply = await send(body);
      expect(reply.status).to.equal(400);
      expect(reply.body).to.include({ code: 'invalid-logout-token' });
      expect(reply.headers.get('cache-control')).to.equal('no-store');
    });
  }

  it('refuses a form that gives a field twice: which one would count?', async () => {
    expect((await send('logout_token=a&logout_token=b')).body).to.include({ status: 400, code: 'repeated-field' });
  });

  it('takes nothing but a form, of a reasonable size', async () => {
    expect((await send('{"logout_token":"x"}', 'application/json')).body).to.include({
      status: 415,
      code: 'unsupported-content-type',
    });
    expect((await send(`logout_token=${'x'.repeat(70_000)}`)).body).to.include({ status: 413 });
  });

  it('is described as a form in the OpenAPI document', async () => {
    const { body } = await api.request('GET', '/openapi.json');
    const operation = body.paths['/auth/backchannel-logout'].post;
    expect(Object.keys(operation.requestBody.content)).to.deep.equal(['application/x-www-form-urlencoded']);
    expect(operation.security).to.deep.equal([]);
    expect(operation.responses).to.include.keys('200', '400');
  });
});

describe('the realm of a login', () => {
  let api: RunningApi;
  before(async () => {
    api = await startApi();
  });
  after(() => api?.close());

  const login = (realm: string) =>
    api.request('POST', '/auth/login', {
      body: JSON.stringify({ email: 'ada@example.org', password: 'right', realm }),
      headers: { 'content-type': 'application/json' },
    });

  it('may be named', async () => expect((await login('only')).status).to.equal(200));

  it('is refused where it is not one of ours', async () => {
    expect((await login('other')).body).to.include({ status: 422, code: 'unknown-realm' });
    expect((await login('')).body).to.include({ status: 422, code: 'invalid-input' });
  });
});
