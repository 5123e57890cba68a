import { expect } from 'chai';
import { OTHER_TENANT } from './fake-identity.ts';
import { type Reply, type RunningApi, startApi } from './running-api.ts';

const UNKNOWN = '01930000-0000-7000-8000-00000000ffff';

const expectProblem = (reply: Reply, status: number, code: string) => {
  expect(reply.body, JSON.stringify(reply.body)).to.include({ status, code });
  expect(reply.status).to.equal(status);
  expect(reply.headers.get('content-type')).to.match(/^application\/problem\+json/);
  expect(reply.body.request_id).to.equal(reply.headers.get('x-request-id'));
  expect(JSON.stringify(reply.body)).to.not.match(/\bat .*\.ts:\d/);
};

describe('requests to the API', () => {
  let api: RunningApi;
  before(async () => {
    api = await startApi();
  });
  after(() => api.close());

  it('answers a write with the resource, its revision, position and place, and reads the same', async () => {
    const created = await api.admin.post('/projects', { name: 'written', description: 'first' });
    expect(created.status, JSON.stringify(created.body)).to.equal(201);
    expect(created.headers.get('etag')).to.equal('"0"');
    expect(created.headers.get('location')).to.equal(`/projects/${created.body.id}`);
    const read = await api.admin.getAfter(created, `/projects/${created.body.id}`);
    expect(read.status).to.equal(200);
    expect(read.body).to.deep.equal(created.body);
    expect(read.headers.get('etag')).to.equal('"0"');
  });

  it('answers 304 where the caller has the newest revision', async () => {
    const created = await api.admin.post('/projects', { name: 'unchanged' });
    await api.admin.getAfter(created, `/projects/${created.body.id}`);
    const again = await api.admin.get(`/projects/${created.body.id}`, { 'if-none-match': '"0"' });
    expect(again.status).to.equal(304);
  });

  it('refuses requests without a token, and with a foreign, revoked or expired one', async () => {
    expectProblem(await api.request('GET', '/projects'), 401, 'missing-token');
    const with_ = (token: string) => api.request('GET', '/projects', { headers: { authorization: `Bearer ${token}` } });
    expectProblem(await with_('forged'), 401, 'invalid-token');
    const gone = api.identity.issue({ email: 'gone@example.org', role: 'viewer' });
    await api.identity.logout({ access_token: gone.access_token });
    expectProblem(await with_(gone.access_token), 401, 'revoked-token');
    const old = api.identity.issue({ email: 'old@example.org', role: 'viewer', lifetime: -1 });
    expectProblem(await with_(old.access_token), 401, 'expired-token');
  });

  it('refuses what it cannot read, and says where it is wrong', async () => {
    const { admin } = api;
    const send = (body: string, type = 'application/json') =>
      api.request('POST', '/projects', {
        body,
        headers: { authorization: `Bearer ${admin.token}`, 'content-type': type },
      });
    expectProblem(await send('{"name":'), 400, 'malformed-json');
    expectProblem(await send('name=x', 'application/x-www-form-urlencoded'), 415, 'unsupported-content-type');
    expectProblem(await send(JSON.stringify({ name: 'x'.repeat(2 ** 21) })), 413, 'body-too-large');
    expectProblem(await send('"text"'), 422, 'invalid-input');
    expectProblem(await send(JSON.stringify({ name: 'nul \u0000' })), 422, 'nul-character');
    const unknown = await admin.post('/projects', { name: 'x', colour: 'red' });
    expectProblem(unknown, 422, 'invalid-input');
    expect(unknown.body.errors).to.deep.equal([{ pointer: '/colour', detail: 'unknown field' }]);
    const wrong = await admin.post('/projects', { name: 7 });
    expect(wrong.body.errors[0].pointer).to.equal('/name');
    expectProblem(await admin.get('/projects?colour=red'), 400, 'invalid-parameter');
    expectProblem(await admin.get('/projects?limit=0'), 400, 'invalid-parameter');
    expectProblem(await admin.get('/projects?cursor=nonsense'), 422, 'invalid-cursor');
    expectProblem(await admin.get('/projects', { 'min-position': 'not a position!' }), 400, 'malformed-position');
  });

  it('answers unknown paths, methods and ids', async () => {
    expectProblem(await api.request('GET', '/nowhere'), 404, 'unknown-path');
    const method = await api.request('PUT', '/projects');
    expectProblem(method, 405, 'method-not-allowed');
    expect(method.headers.get('allow')).to.match(/GET/).and.match(/POST/);
    expectProblem(await api.admin.get(`/projects/${UNKNOWN}`), 404, 'project-not-found');
    expectProblem(await api.admin.get('/projects/not-an-id'), 404, 'not-found');
    expectProblem(await api.admin.call('PATCH', `/projects/${UNKNOWN}`, { name: 'x' }), 404, 'project-not-found');
  });

  it('lets exactly one of 50 simultaneous requests have a name', async () => {
    const all = await Promise.all(Array.from({ length: 50 }, () => api.admin.post('/projects', { name: 'wanted' })));
    expect(all.filter(({ status }) => status === 201)).to.have.length(1);
    expect(all.filter(({ status }) => status === 409)).to.have.length(49);
  });

  it('refuses a stale or malformed If-Match, and takes * and the right one', async () => {
    const { admin } = api;
    const { body } = await admin.post('/projects', { name: 'matched' });
    const path = `/projects/${body.id}`;
    const patch = (description: string, etag: string) =>
      admin.call('PATCH', path, { description }, { 'if-match': etag });
    const right = await patch('second', '"0"');
    expect(right.status, JSON.stringify(right.body)).to.equal(200);
    expect(right.headers.get('etag')).to.equal('"1"');
    expectProblem(await patch('third', '"0"'), 412, 'stale-revision');
    expectProblem(await patch('third', 'three'), 400, 'malformed-if-match');
    expect((await patch('third', '*')).status).to.equal(200);
  });

  it('answers a repeated Idempotency-Key the same again, also when things have changed since', async () => {
    const { admin } = api;
    const key = { 'idempotency-key': 'once' };
    const first = await admin.post('/projects', { name: 'once only', tags: ['a'] }, key);
    await admin.call('PATCH', `/projects/${first.body.id}`, { name: 'renamed since' });
    const again = await admin.post('/projects', { tags: ['a'], name: 'once only' }, key);
    expect(again.status).to.equal(201);
    expect(again.body).to.deep.equal(first.body);
    expect(again.headers.get('etag')).to.equal('"0"');
    expectProblem(await admin.post('/projects', { name: 'another' }, key), 422, 'idempotency-key-reused');
  });

  it('makes one thing of one key, however many requests bring it at once', async () => {
    const key = { 'idempotency-key': 'racing' };
    const all = await Promise.all(
      Array.from({ length: 10 }, () => api.admin.post('/projects', { name: 'raced' }, key)),
    );
    const made = new Set(all.filter(({ status }) => status === 201).map(({ body }) => body.id));
    expect(made.size).to.equal(1);
    for (const { status, body } of all) if (status !== 201) expect(body.code).to.equal('request-in-progress');
  });

  it('refuses a body that contradicts the path', async () => {
    const { body } = await api.admin.post('/projects', { name: 'contradicted' });
    const path = `/projects/${body.id}`;
    expectProblem(await api.admin.call('PATCH', path, { project_id: UNKNOWN, name: 'y' }), 422, 'path-mismatch');
    expect((await api.admin.call('PATCH', path, { project_id: body.id, name: 'agreed' })).status).to.equal(200);
  });

  it('makes the user and one default project at racing first requests', async () => {
    const person = { email: 'new@example.org', role: 'developer' } as const;
    const newcomer = api.as(person);
    const replies = await Promise.all(Array.from({ length: 5 }, () => newcomer.get('/auth/me')));
    for (const { status, body } of replies) expect(status, JSON.stringify(body)).to.equal(200);
    const { body: me } = await newcomer.get('/auth/me');
    expect(me).to.include({ email: person.email, role: 'developer' });
    const { body: mine } = await newcomer.get('/projects');
    expect(mine.items.map(({ id }: { id: string }) => id)).to.deep.equal([me.default_project_id]);
    const user = await newcomer.get(`/users/${me.user_id}`);
    expect(user.body.email).to.equal(person.email);
  });

  it("shows nobody another's project, and lets nobody change it", async () => {
    const { body } = await api.admin.post('/projects', { name: 'private' });
    const stranger = api.as({ email: 'stranger@example.org', role: 'developer' });
    const foreigner = api.as({ email: 'foreigner@example.org', role: 'admin', tenant_id: OTHER_TENANT });
    for (const other of [stranger, foreigner]) {
      expectProblem(await other.get(`/projects/${body.id}`), 404, 'project-not-found');
      expectProblem(await other.call('PATCH', `/projects/${body.id}`, { name: 'mine' }), 404, 'project-not-found');
      const list = await other.get('/projects');
      expect(list.body.items.map(({ id }: { id: string }) => id)).to.not.include(body.id);
    }
  });

  it('lets a member in at once, and the owner of a new project too', async () => {
    const developer = api.as({ email: 'member@example.org', role: 'developer' });
    const { body: me } = await developer.get('/auth/me');
    const own = await developer.post('/projects', { name: 'their own' });
    const changed = await developer.call('PATCH', `/projects/${own.body.id}`, { description: 'at once' });
    expect(changed.status, JSON.stringify(changed.body)).to.equal(200);
    const { body: shared } = await api.admin.post('/projects', { name: 'shared' });
    const added = await api.admin.post(`/projects/${shared.id}/members`, {
      user_id: me.user_id,
      scopes: ['project:view'],
    });
    expect(added.status, JSON.stringify(added.body)).to.be.below(300);
    const seen = await developer.getAfter(added, `/projects/${shared.id}`);
    expect(seen.status, JSON.stringify(seen.body)).to.equal(200);
    expectProblem(
      await developer.call('PATCH', `/projects/${shared.id}`, { name: 'taken over' }),
      403,
      'not-permitted',
    );
  });

  it('refuses a disabled user', async () => {
    const person = api.as({ email: 'disabled@example.org', role: 'developer' });
    const { body: me } = await person.get('/auth/me');
    const disabled = await api.admin.post('/commands/DisableUser', { user_id: me.user_id });
    expect(disabled.status, JSON.stringify(disabled.body)).to.equal(200);
    expectProblem(await person.get('/auth/me'), 403, 'user-disabled');
  });

  it('refuses system commands from every user', async () => {
    const reply = await api.admin.post('/commands/RecordModelMetadata', { model_id: UNKNOWN, metadata: {} });
    expect(reply.status).to.be.oneOf([403, 404, 422]);
    const registration = { user_id: UNKNOWN, subject: 'x', email: 'x@y.z', name: 'x', role: 'admin' };
    expectProblem(await api.admin.post('/commands/RegisterUser', registration), 403, 'not-permitted');
  });

  it('pages through a list without losing or repeating anything', async () => {
    const names = Array.from({ length: 7 }, (_, index) => `paged-${index}`);
    let last: Reply | undefined;
    for (const name of names) last = await api.admin.post('/projects', { name });
    const seen: string[] = [];
    let cursor = '';
    do {
      const path = `/projects?limit=3&sort=name${cursor && `&cursor=${encodeURIComponent(cursor)}`}`;
      const page = await api.admin.getAfter(last!, path);
      expect(page.status, JSON.stringify(page.body)).to.equal(200);
      seen.push(...page.body.items.map(({ name }: { name: string }) => name));
      cursor = page.body.next_cursor ?? '';
    } while (cursor);
    expect(seen).to.deep.equal([...new Set(seen)]);
    expect(seen).to.include.members(names);
  });
});
