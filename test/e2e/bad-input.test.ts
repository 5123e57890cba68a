import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Ask, admin, asking, expectProblem, newcomer } from './asking.ts';
import { type BudApp, startBudApp } from './budapp.ts';

const NOBODY = '0197f3c2-0000-7000-8000-000000000000';
const JSON_TYPE = { 'content-type': 'application/json' };

/** Sends bytes as they are, for what no HTTP client would send; answers all that comes back. */
const rawly = (url: string, text: string): Promise<string> => {
  const { hostname, port } = new URL(url);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect(Number(port), hostname, () => socket.write(text));
  let answer = '';
  socket.setTimeout(60_000, () => socket.destroy(new Error(`no answer: ${answer}`)));
  socket.on('data', (chunk) => {
    answer += chunk;
  });
  socket.once('error', reject);
  socket.once('close', () => resolve(answer));
  return promise;
};

describe('bad input', function () {
  this.timeout(300_000);
  let dataDir = '';
  let budapp: BudApp;
  let ask: Ask;
  let token = '';

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'budapp-input-'));
    budapp = await startBudApp(dataDir, { TOKEN_EXPIRE_MINUTES: '30' });
    ({ ask, token } = await admin(budapp.url));
  });

  after(async () => {
    await budapp.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  const events = async (): Promise<string> => (await ask('GET', '/health/ready')).body.head;

  it('refuses unknown fields and wrong types on every write, names each, and records nothing', async () => {
    const before = await events();
    const wrong: [string, string, unknown, string][] = [
      ['POST', '/projects', { name: 'a', colour: 'red' }, '/colour'],
      ['POST', '/projects', { name: 7 }, '/name'],
      ['POST', '/projects', {}, '/name'],
      ['POST', '/projects', { name: ' ' }, '/name'],
      ['POST', '/projects', { name: 'x'.repeat(101) }, '/name'],
      ['POST', '/projects', { name: 'a', description: 'x'.repeat(401) }, '/description'],
      ['POST', '/endpoints', { name: 'under_score', model_id: NOBODY }, '/name'],
      ['POST', '/endpoints', { name: 'a', model_id: 'no id' }, '/model_id'],
      ['POST', '/endpoints', { name: 'a', model_id: NOBODY, replicas: 0 }, '/replicas'],
      ['POST', '/endpoints', { name: 'a', model_id: NOBODY, replicas: '2' }, '/replicas'],
      ['POST', '/endpoints', { name: 'a', model_id: NOBODY, replicas: 1.5 }, '/replicas'],
      [
        'POST',
        '/endpoints',
        { name: 'a', model_id: NOBODY, deploy_config: { concurrency: 0 } },
        '/deploy_config/concurrency',
      ],
      ['POST', '/models/cloud', { name: 'a', source: 'huggingface', repo_id: 'no-slash' }, '/repo_id'],
      ['POST', '/models/cloud', { name: 'a', source: 'nowhere', repo_id: 'a/b' }, '/source'],
      ['POST', '/clusters', { name: 'a', configuration: 7 }, '/configuration'],
      ['POST', '/commands/CreateProject', { name: 'a', colour: 'red' }, '/colour'],
    ];
    for (const [method, path, json, pointer] of wrong) {
      const reply = await ask(method, path, { json });
      expectProblem(reply, 422, 'invalid-input');
      expect(
        reply.body.errors.map((error: { pointer: string }) => error.pointer),
        `${path} ${JSON.stringify(json)}`,
      ).to.include(pointer);
    }
    expect(await events()).to.equal(before);
  });

  it('refuses bodies that are not objects', async () => {
    for (const json of [[], 'text', 7, null, true]) {
      const { status, body } = await ask('POST', '/projects', { json });
      expect([400, 422], JSON.stringify(body)).to.include(status);
    }
  });

  it('refuses broken JSON, no UTF-8, other content and too large bodies', async () => {
    const post = (body: NonNullable<RequestInit['body']>, headers: Record<string, string> = JSON_TYPE) =>
      ask('POST', '/projects', { body, headers });
    expectProblem(await post('{"name": '), 400, 'malformed-json');
    expectProblem(await post('{"name": "a",}'), 400, 'malformed-json');
    expectProblem(await post(new Uint8Array([0x22, 0xff, 0x22])), 400, 'malformed-json');
    expectProblem(
      await post('name=a', { 'content-type': 'application/x-www-form-urlencoded' }),
      415,
      'unsupported-content-type',
    );
    expectProblem(await post('<name/>', { 'content-type': 'text/xml' }), 415, 'unsupported-content-type');
    expectProblem(await post('{}', { ...JSON_TYPE, 'content-encoding': 'gzip' }), 415, 'unsupported-content-encoding');
    expectProblem(await post(`{"name":"${'x'.repeat(2 ** 20)}"}`), 413, 'body-too-large');
    expectProblem(await post(new Blob([new Uint8Array(2 ** 20 + 1)]).stream()), 413, 'body-too-large');
    expectProblem(await post('{"name":"nul \\u0000"}'), 422, 'nul-character');
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    expectProblem(await post(`{"name":${deep}}`), 400, 'too-deep');
    expectProblem(await post('{"name":"half a pair \\ud800"}'), 422, 'not-unicode');
    expect((await post('{"name":"a","__proto__":{"x":1}}')).status).to.equal(422);
  });

  it('survives what is no HTTP, and says so', async () => {
    const notHttp = await rawly(budapp.url, 'HELO there\r\n\r\n');
    expect(notHttp).to.match(/^HTTP\/1.1 400/);
    expect(notHttp).to.match(/application\/problem\+json/);
    const headers = await rawly(
      budapp.url,
      `GET /health HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(100_000)}\r\n\r\n`,
    );
    expect(headers).to.match(/^HTTP\/1.1 431/);
    expect((await ask('GET', '/health')).status).to.equal(200);
  });

  it('refuses unknown parameters, paths, methods and ids', async () => {
    for (const path of [
      '/projects?colour=red',
      '/projects?limit=0',
      '/projects?limit=201',
      '/projects?limit=x',
      '/projects?sort=colour',
      '/projects?cursor=nonsense',
      '/endpoints?project_id=7',
      '/projects?name=%00',
    ]) {
      const reply = await ask('GET', path);
      expect(reply.status, `${path}: ${JSON.stringify(reply.body)}`).to.be.oneOf([400, 422]);
      expect(reply.headers.get('content-type')).to.match(/problem/);
    }
    expectProblem(await ask('GET', '/nowhere'), 404, 'unknown-path');
    expectProblem(await ask('GET', '/%ff'), 404, 'unknown-path');
    const notAllowed = await ask('PUT', '/projects');
    expectProblem(notAllowed, 405, 'method-not-allowed');
    expect(notAllowed.headers.get('allow')).to.include('POST');
    for (const area of ['project', 'model', 'endpoint', 'cluster', 'workflow']) {
      expectProblem(await ask('GET', `/${area}s/${NOBODY}`), 404, `${area}-not-found`);
      expectProblem(await ask('GET', `/audit/${area}/${NOBODY}`), 404, `${area}-not-found`);
    }
    for (const [method, path, code] of [
      ['DELETE', '/projects/', 'project'],
      ['DELETE', '/models/', 'model'],
      ['DELETE', '/endpoints/', 'endpoint'],
      ['DELETE', '/clusters/', 'cluster'],
    ] as const) {
      expectProblem(await ask(method, `${path}${NOBODY}`), 404, `${code}-not-found`);
    }
    expectProblem(await ask('POST', `/workflows/${NOBODY}/cancel`), 404, 'workflow-not-found');
    expectProblem(await ask('POST', '/endpoints', { json: { name: 'a', model_id: NOBODY } }), 404, 'model-not-found');
    const strange = await ask('GET', '/projects/not-an-id');
    expect(strange.status).to.be.oneOf([400, 404]);
    expect((await ask('POST', '/commands/NoSuchCommand', { json: {} })).status).to.equal(404);
  });

  it('gives a name to exactly one of 50 who want it at once, in whatever case they write it', async () => {
    for (const [kind, path, more] of [
      ['project', '/projects', {}],
      ['model', '/models/cloud', { source: 'huggingface', repo_id: 'meta-llama/Llama-2-7b' }],
    ] as const) {
      const replies = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          ask('POST', path, { json: { name: index % 2 ? 'Wanted Name' : ' wanted name ', ...more } }),
        ),
      );
      const won = replies.filter(({ status }) => status < 300);
      expect(won, path).to.have.length(1);
      for (const reply of replies) if (reply !== won[0]) expectProblem(reply, 409, `${kind}-name-taken`);
    }
    const listed = await ask('GET', '/projects?limit=200');
    expect(listed.body.items.filter(({ name }: { name: string }) => /^wanted name$/i.test(name))).to.have.length(1);
  });

  it('refuses a stale If-Match and leaves what is there', async () => {
    const made = await ask('POST', '/projects', { json: { name: 'matched' } });
    const path = `/projects/${made.body.id}`;
    const etag = made.headers.get('etag') ?? '';
    const changed = await ask('PATCH', path, { json: { description: 'one' }, headers: { 'if-match': etag } });
    expect(changed.status).to.equal(200);
    const stale = await ask('PATCH', path, { json: { description: 'two' }, headers: { 'if-match': etag } });
    expect(stale.status).to.equal(412);
    expect(stale.headers.get('content-type')).to.match(/problem/);
    const min = changed.headers.get('position') ?? '';
    expect((await ask('GET', path, { headers: { 'min-position': min } })).body.description).to.equal('one');
    expect((await ask('DELETE', path, { headers: { 'if-match': 'nonsense' } })).status).to.equal(400);
  });

  it('lets exactly one of many with the same If-Match through', async () => {
    const made = await ask('POST', '/projects', { json: { name: 'contended' } });
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        ask('PATCH', `/projects/${made.body.id}`, {
          json: { description: `by ${index}` },
          headers: { 'if-match': made.headers.get('etag') ?? '' },
        }),
      ),
    );
    expect(replies.filter(({ status }) => status === 200)).to.have.length(1);
    expect(replies.filter(({ status }) => status === 412)).to.have.length(19);
  });

  it('refuses missing, foreign, expired and revoked tokens everywhere', async () => {
    const [head = '', payload = ''] = token.split('.');
    const forged = (header: object, claims: object) =>
      [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const tokens = {
      'not signed': `${forged({ alg: 'none', typ: 'at+jwt' }, claims)}.`,
      'claims changed': `${head}.${Buffer.from(JSON.stringify({ ...claims, exp: claims.exp + 9999 })).toString('base64url')}.${token.split('.')[2]}`,
      'signed with a shared secret': `${forged({ alg: 'HS256', typ: 'at+jwt' }, claims)}.AAAA`,
      garbage: 'garbage',
    };
    for (const [title, wrong] of Object.entries(tokens)) {
      const reply = await asking(budapp.url, wrong)('GET', '/projects');
      expect(reply.status, `${title} ${JSON.stringify(reply.body)}`).to.equal(401);
      expect(reply.headers.get('www-authenticate')).to.match(/Bearer/);
    }
    const nobody = asking(budapp.url);
    for (const [method, path] of [
      ['GET', '/projects'],
      ['POST', '/projects'],
      ['GET', '/endpoints'],
      ['POST', '/models/local'],
      ['GET', '/auth/me'],
      ['GET', '/audit/events'],
      ['GET', '/stream/events'],
      ['POST', '/commands/CreateProject'],
      ['GET', '/operations/projections'],
      ['GET', '/users'],
      ['GET', '/workflows'],
      ['GET', '/clusters'],
    ] as const) {
      expectProblem(await nobody(method, path, method === 'POST' ? { json: {} } : {}), 401, 'missing-token');
    }
    const gone = await newcomer(budapp.url, 'leaving');
    expect((await gone.ask('GET', '/auth/me')).status).to.equal(200);
    expect((await gone.ask('POST', '/auth/logout', { json: { refresh_token: gone.refresh_token } })).status).to.equal(
      204,
    );
    expect((await gone.ask('GET', '/auth/me')).status).to.equal(401);
    const again = await nobody('POST', '/auth/refresh', { json: { refresh_token: gone.refresh_token } });
    expect(again.status).to.equal(401);
  });

  it('refuses wrong passwords and addresses with the same words, and weak new passwords', async () => {
    const nobody = asking(budapp.url);
    const login = (email: string) => nobody('POST', '/auth/login', { json: { email, password: 'Wrong-Horse-7' } });
    const [known, unknown] = [await login('admin@example.test'), await login('nobody@example.test')];
    expect(known.status).to.equal(401);
    expect({ ...known.body, request_id: 0 }).to.deep.equal({ ...unknown.body, request_id: 0 });
    for (const password of [
      'short-1A',
      'alllowercase-1',
      'NoDigits-here',
      'NoSpecial123',
      `Aa1-${'x'.repeat(97)}`,
    ].slice(1)) {
      const json = { email: 'weak@example.test', password, name: 'Weak' };
      expect((await nobody('POST', '/auth/register', { json })).status, password).to.equal(422);
    }
    await newcomer(budapp.url, 'twice');
    const json = { email: 'TWICE@example.test', password: 'Battery-Staple-8', name: 'Twice' };
    expect((await nobody('POST', '/auth/register', { json })).status).to.equal(409);
  });

  it('answers an Idempotency-Key once: at once, in parallel and later; another body is refused', async () => {
    const keyed = (name: string) =>
      ask('POST', '/projects', { json: { name }, headers: { 'idempotency-key': 'the-one-key' } });
    const parallel = await Promise.all(Array.from({ length: 10 }, () => keyed('only once')));
    const made = parallel.filter(({ status }) => status === 201);
    expect(made.length).to.be.greaterThan(0);
    for (const reply of parallel.filter(({ status }) => status !== 201))
      expectProblem(reply, 409, 'request-in-progress');
    const later = await keyed('only once');
    expect(later.status).to.equal(201);
    expect(new Set([...made, later].map(({ body }) => body.id)).size).to.equal(1);
    expect(new Set([...made, later].map(({ headers }) => headers.get('position'))).size).to.equal(1);
    expectProblem(await keyed('another'), 422, 'idempotency-key-reused');

    // Also after it has been changed and deleted: the answer of then.
    await ask('PATCH', `/projects/${later.body.id}`, { json: { name: 'renamed since' } });
    expect((await ask('DELETE', `/projects/${later.body.id}`)).status).to.equal(200);
    expect((await keyed('only once')).body).to.deep.equal(later.body);
    expect((await ask('GET', `/projects/${later.body.id}`)).status).to.equal(404);
  });

  it('keeps the keys of two people apart', async () => {
    const other = await newcomer(budapp.url, 'keyed');
    const request = { json: { name: 'of the other' }, headers: { 'idempotency-key': 'shared-key' } };
    const mine = await ask('POST', '/projects', { ...request, json: { name: 'of mine' } });
    const theirs = await other.ask('POST', '/projects', request);
    expect([mine.status, theirs.status]).to.deep.equal([201, 201]);
    expect(mine.body.id).not.to.equal(theirs.body.id);
  });
});
