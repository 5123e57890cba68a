import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { commandCatalog } from '../../src/commands/catalog.ts';
import type { Dependency } from '../../src/ports/dependency.ts';
import { eventually } from '../eventually.ts';
import { type RunningApi, SERVICE_TOKEN, startApi } from './running-api.ts';

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null;

/** Every `$ref` of a document. */
const refsIn = (value: unknown): string[] => {
  if (Array.isArray(value)) return value.flatMap(refsIn);
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([name, item]) =>
    name === '$ref' && typeof item === 'string' ? [item] : refsIn(item),
  );
};

const resolveRef = (document: unknown, ref: string): unknown =>
  ref
    .slice(2)
    .split('/')
    .reduce<unknown>(
      (at, part) => (isObject(at) ? at[part.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined),
      document,
    );

/**
 * Every path with its methods. `POST /commands/<command>` is promised by the command's being there.
 * A path that is not here is refused, so that nothing becomes public by the way.
 */
const PROMISED: Readonly<Record<string, string>> = {
  '/auth/login': 'post',
  '/auth/refresh': 'post',
  '/auth/logout': 'post',
  '/auth/me': 'get',
  '/auth/register': 'post',
  '/auth/authorize': 'get',
  '/auth/callback': 'get',
  '/auth/backchannel-logout': 'post',
  '/users': 'get',
  '/users/{user_id}': 'get',
  '/users/{user_id}/permissions': 'get put',
  '/projects': 'post get',
  '/projects/{project_id}': 'get put patch delete',
  '/projects/{project_id}/members': 'get post',
  '/projects/{project_id}/members/{user_id}': 'patch delete',
  '/models/cloud': 'post',
  '/models/local': 'post',
  '/models': 'get',
  '/models/{model_id}': 'get patch delete',
  '/models/{model_id}/deploy': 'post',
  '/endpoints': 'post get',
  '/endpoints/{endpoint_id}': 'get put delete',
  '/endpoints/{endpoint_id}/scale': 'post',
  '/endpoints/{endpoint_id}/status': 'get',
  '/endpoints/{endpoint_id}/workers': 'get',
  '/endpoints/{endpoint_id}/workers/{worker_id}/logs': 'get',
  '/endpoints/{endpoint_id}/metrics': 'get',
  '/clusters': 'post get',
  '/clusters/{cluster_id}': 'get patch delete',
  '/clusters/{cluster_id}/status': 'get',
  '/clusters/{cluster_id}/nodes': 'get',
  '/clusters/{cluster_id}/sync': 'post',
  '/workflows': 'get',
  '/workflows/{workflow_id}': 'get',
  '/workflows/{workflow_id}/cancel': 'post',
  '/workflows/{workflow_id}/retry': 'post',
  '/commands': 'get',
  '/audit/events': 'get',
  '/audit/events/{position}': 'get',
  '/audit/{area}/{id}': 'get',
  '/audit/{area}/{id}/state': 'get',
  '/notifications': 'post',
  '/dapr/subscribe': 'get',
  '/dapr/config': 'get',
  '/operations/projections': 'get',
  '/operations/projections/{name}/rebuild': 'post',
  '/operations/parked': 'get',
  '/operations/parked/{parked_id}': 'patch',
  '/operations/parked/{parked_id}/retry': 'post',
  '/operations/parked/{parked_id}/skip': 'post',
  '/health': 'get',
  '/health/ready': 'get',
  '/version': 'get',
  '/metrics': 'get',
  '/stream': 'get',
  '/stream/events': 'get',
  '/docs': 'get',
  '/openapi.json': 'get',
};

describe('the surface of the API', () => {
  let api: RunningApi;
  const broken: Dependency = {
    name: 'sometimes',
    implementation: 'a test',
    stand_in: true,
    needed: true,
    check: async () => {
      if (isBroken) throw new Error('it is broken');
    },
  };
  const lame: Dependency = {
    ...broken,
    name: 'seldom',
    needed: false,
    check: async () => {
      if (isLame) throw new Error('it is lame');
    },
  };
  let isBroken = false;
  let isLame = false;
  /** How far the clock of the API stands ahead. */
  let aheadMs = 0;
  before(async () => {
    const clock = () => new Date(Date.now() + aheadMs).toISOString();
    api = await startApi({ dependencies: [broken, lame], clock });
  });
  after(() => api.close());

  it('describes every operation in an OpenAPI 3.1 document that holds together', async () => {
    const { body, status } = await api.request('GET', '/openapi.json');
    expect(status).to.equal(200);
    expect(body.openapi).to.equal('3.1.0');
    for (const ref of refsIn(body)) expect(resolveRef(body, ref), ref).to.not.equal(undefined);
    // biome-ignore lint/suspicious/noExplicitAny: a document of whatever shape.
    const operations = Object.entries<any>(body.paths).flatMap(([path, methods]) =>
      Object.entries<Json>(methods).map(([method, operation]) => ({ path, method, ...operation }) as Json),
    );
    expect(new Set(operations.map(({ operationId }) => operationId)).size).to.equal(operations.length);
    for (const { path, method, parameters, responses, security, operationId } of operations) {
      const named = [...String(path).matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const declared = (parameters as Json[]).filter((each) => each.in === 'path').map(({ name }) => name);
      expect(declared, `${method} ${path}`).to.deep.equal(named);
      expect(
        Object.keys(responses as Json).some((code) => /^[123]/.test(code)),
        String(operationId),
      ).to.equal(true);
      expect(security, String(operationId)).to.be.an('array');
    }
  });

  it('describes the refusals that whole groups of routes have in common, and what the headers may be', async () => {
    const { body } = await api.request('GET', '/openapi.json');
    expect(body.paths['/projects'].post.responses).to.include.keys('401', '403', '503');
    expect(body.paths['/auth/me'].get.responses).to.include.keys('403', '503');
    // A position of another log.
    expect(body.paths['/clusters/{cluster_id}/status'].get.responses).to.include.keys('422');
    const { parameters } = body.components;
    const mayBe = (name: string, value: string) => new RegExp(parameters[name].schema.pattern).test(value);
    expect(['', 'a b', 'ä'].map((key) => mayBe('Idempotency-Key', key))).to.deep.equal([false, true, false]);
    expect(['"3"', '*', '3'].map((tag) => mayBe('If-Match', tag))).to.deep.equal([true, true, false]);
    expect(['0000-1', 'a b'].map((position) => mayBe('Min-Position', position))).to.deep.equal([true, false]);
  });

  it('authenticates the caller before it validates the request', async () => {
    const headers = { 'if-match': 'nonsense', 'idempotency-key': '' };
    const { status, body } = await api.request('DELETE', '/projects/nonsense', { headers });
    expect([status, body.code]).to.deep.equal([401, 'missing-token']);
  });

  it('has the routes that are promised, and no others', async () => {
    const { body } = await api.request('GET', '/openapi.json');
    const offered = Object.entries<Json>(body.paths).map(([path, methods]) => [path, Object.keys(methods).join(' ')]);
    const byName = (path: unknown) => String(path).startsWith('/commands/');
    expect(Object.fromEntries(offered.filter(([path]) => !byName(path)))).to.deep.equal(PROMISED);
    expect(offered.filter(([path]) => byName(path))).to.deep.equal(
      commandCatalog.map(({ type }) => [`/commands/${type}`, 'post']),
    );
  });

  it('shows its documentation without anything from elsewhere', async () => {
    const page = await api.request('GET', '/docs');
    expect(page.headers.get('content-type')).to.match(/^text\/html/);
    expect(page.body).to.not.match(/https?:\/\//);
    for (const [, file] of page.body.matchAll(/(?:src|href)="(?!data:)([^"]+)"/g)) {
      expect((await api.request('GET', file ?? '')).status, file).to.equal(200);
    }
  });

  it('asks for no icon, and lets requests be tried under whatever address the page is open', async () => {
    expect((await api.request('GET', '/docs')).body).to.contain('rel="icon" href="data:,"');
    let intercept = (request: { url: string }) => request;
    const SwaggerUIBundle = (options: { requestInterceptor: typeof intercept }) => {
      intercept = options.requestInterceptor;
    };
    const { body } = await api.request('GET', '/docs/start.js');
    runInNewContext(body, { SwaggerUIBundle, location: { origin: 'http://localhost:9081' } });
    const tried = (url: string) => intercept({ url }).url;
    expect(tried('http://127.0.0.1:9081/version?a=http://b')).to.equal('http://localhost:9081/version?a=http://b');
    expect(tried('/openapi.json')).to.equal('/openapi.json');
  });

  it('sends security headers, and no permission for other origins', async () => {
    const { headers } = await api.request('GET', '/health', { headers: { origin: 'https://elsewhere.example' } });
    expect(headers.get('x-content-type-options')).to.equal('nosniff');
    expect(headers.get('content-security-policy')).to.contain("default-src 'none'");
    expect(headers.get('access-control-allow-origin')).to.equal(null);
  });

  it('is ready as long as all it needs is there, and says what is missing', async () => {
    const ready = await api.request('GET', '/health/ready');
    expect(ready.status, JSON.stringify(ready.body)).to.equal(200);
    expect(ready.body.projections.map(({ name }: { name: string }) => name)).to.include('endpoints');
    isBroken = true;
    const missing = await api.request('GET', '/health/ready');
    isBroken = false;
    expect(missing.status).to.equal(503);
    expect(missing.body.status).to.equal('not-ready');
    expect(missing.body.dependencies[0]).to.include({ ok: false, stand_in: true, error: 'it is broken' });
    expect((await api.request('GET', '/health')).status).to.equal(200);
  });

  it('serves on, and says so, where something is missing that not all depends on', async () => {
    isLame = true;
    const lacking = await api.request('GET', '/health/ready');
    isLame = false;
    expect(lacking.status).to.equal(200);
    expect(lacking.body.status).to.equal('degraded');
    expect(lacking.body.dependencies[1]).to.include({ ok: false, needed: false, error: 'it is lame' });
  });

  /** Before the first event. */
  const BEGINNING = '0'.repeat(16);

  /** The health once the clock stands so many seconds further on. */
  const healthIn = async (seconds: number) => {
    aheadMs = seconds * 1000;
    try {
      const { body: metrics } = await api.request('GET', '/metrics');
      return { ...(await api.request('GET', '/health/ready')), metrics };
    } finally {
      aheadMs = 0;
    }
  };

  it('says so, and to Prometheus, where the process managers make no progress while there are events to read', async () => {
    const { pool } = api.services;
    // Creates the user, the first event of the log.
    await api.admin.get('/auth/me');
    await pool.query(
      `insert into process_checkpoints (reader, position, updated_at)
       values ('processes', '${BEGINNING}', now() - interval '1 day')`,
    );
    const { body: quiet } = await healthIn(0);
    const { metrics, ...stalled } = await healthIn(60);
    await pool.query("update process_checkpoints set position = $1 where reader = 'processes'", [
      await api.services.log.head(),
    ]);
    const moving = await api.request('GET', '/health/ready');
    await pool.query('delete from process_checkpoints');
    // It has had nothing to read until just now, whenever it moved last.
    expect(quiet.processes).to.include({ caught_up: false, stalled: false });
    expect([stalled.status, stalled.body.status]).to.deep.equal([200, 'degraded']);
    expect(stalled.body.processes).to.include({ position: BEGINNING, caught_up: false, stalled: true, parked: 0 });
    expect(metrics).to.match(/budapp_process_lag_seconds (6\d|[7-9]\d)/);
    expect(metrics).to.match(/budapp_process_parked_instances 0/);
    expect(moving.body.status).to.equal('ready');
    expect(moving.body.processes).to.include({ caught_up: true, lag_seconds: 0, stalled: false });
  });

  it('does not take a reader for caught up that is ahead of the log', async () => {
    const { pool, log } = api.services;
    await api.admin.get('/auth/me');
    await pool.query("insert into process_checkpoints (reader, position) values ('processes', $1)", [
      (await log.head())?.replace(/^0/, '1'),
    ]);
    const { body } = await api.request('GET', '/health/ready');
    await pool.query('delete from process_checkpoints');
    expect(body.processes).to.include({ caught_up: false });
  });

  it('says so where a read model makes no progress while there are events to read', async () => {
    const { pool, log } = api.services;
    await api.admin.get('/auth/me');
    await pool.query("insert into process_checkpoints (reader, position) values ('processes', $1)", [await log.head()]);
    const whole = await eventually('all have read the log', async () => {
      const health = await healthIn(60);
      return health.body.status === 'ready' && health;
    });
    const { rows } = await pool.query('select * from projections where name = $1', ['clusters']);
    await pool.query(
      `update projections set position = '${BEGINNING}', updated_at = now() - interval '1 day' where name = 'clusters'`,
    );
    const quiet = await healthIn(0);
    const stalled = await healthIn(60);
    await pool.query('update projections set position = $1, updated_at = $2 where name = $3', [
      ...[rows[0].position, rows[0].updated_at, 'clusters'],
    ]);
    await pool.query('delete from process_checkpoints');
    const stateOf = ({ status, body }: typeof whole) => [
      ...[status, body.status],
      body.projections.filter((model: { stalled: boolean }) => model.stalled).map(({ name }: { name: string }) => name),
    ];
    expect(stateOf(whole)).to.deep.equal([200, 'ready', []]);
    expect(stateOf(quiet)).to.deep.equal([200, 'ready', []]);
    expect(stateOf(stalled)).to.deep.equal([200, 'degraded', ['clusters']]);
  });

  it('measures requests by route', async () => {
    await api.admin.get('/auth/me');
    const { body } = await api.request('GET', '/metrics');
    expect(body).to.match(
      /budapp_http_request_duration_seconds_count\{method="GET",route="\/auth\/me",status="200"\} \d/,
    );
  });

  it('reports the lag and the parked events of each read model to Prometheus', async () => {
    const { body } = await api.request('GET', '/metrics');
    expect(body).to.match(/budapp_projection_lag_seconds\{projection="endpoints"\} \d/);
    expect(body).to.match(/budapp_projection_parked_events\{projection="endpoints"\} 0/);
  });

  it('logs in, refreshes and logs out', async () => {
    const post = (path: string, body: unknown, headers = {}) =>
      api.request('POST', path, {
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json', ...headers },
      });
    const wrong = await post('/auth/login', { email: 'ada@example.org', password: 'wrong' });
    expect(wrong.body).to.include({ status: 401, code: 'invalid-credentials' });
    const { body: tokens } = await post('/auth/login', { email: 'ada@example.org', password: 'right' });
    const refreshed = await post('/auth/refresh', { refresh_token: tokens.refresh_token });
    const authorization = { authorization: `Bearer ${refreshed.body.access_token}` };
    expect((await api.request('GET', '/auth/me', { headers: authorization })).body.email).to.equal('ada@example.org');
    expect((await api.request('POST', '/auth/logout', { headers: authorization })).status).to.equal(204);
    expect((await api.request('GET', '/auth/me', { headers: authorization })).body.code).to.equal('revoked-token');
    const registration = await post('/auth/register', { email: 'a@b.c', password: 'right', name: 'A' });
    expect(registration.body).to.include({ status: 501, code: 'not-offered' });
  });

  it('signs a browser in with a code, and only the browser that began', async () => {
    const begun = await api.request('GET', '/auth/authorize');
    expect(begun.status).to.equal(302);
    expect(begun.headers.get('location')).to.match(/^https:\/\/identity\.example/);
    const cookie = begun.headers.get('set-cookie') ?? '';
    expect(cookie)
      .to.match(/HttpOnly/)
      .and.match(/SameSite=Lax/);
    const callback = '/auth/callback?code=c&state=the-state';
    const stolen = await api.request('GET', callback);
    expect(stolen.body).to.include({ status: 401, code: 'sign-in-lost' });
    const forged = await api.request('GET', callback, { headers: { cookie: 'budapp_sign_in=e30.AAAA' } });
    expect(forged.body).to.include({ code: 'sign-in-lost' });
    const own = { cookie: cookie.split(';')[0] ?? '' };
    const refused = await api.request('GET', '/auth/callback?code=c&state=another', { headers: own });
    expect(refused.body).to.include({ status: 401, code: 'invalid-authorization-code' });
    expect(refused.headers.get('set-cookie')).to.contain('Max-Age=0');
    const done = await api.request('GET', callback, { headers: own });
    expect(done.status, JSON.stringify(done.body)).to.equal(200);
    expect(done.body.access_token).to.be.a('string');
  });

  it('tells the history of a resource, and its state as of then', async () => {
    const { admin } = api;
    const created = await admin.post('/projects', { name: 'historic' });
    const { id } = created.body;
    const renamed = await admin.call('PATCH', `/projects/${id}`, { name: 'newer' });
    const history = await admin.getAfter(renamed, `/audit/project/${id}`);
    expect(history.body.items.map(({ event_type }: { event_type: string }) => event_type)).to.deep.equal([
      'ProjectCreated',
      'ProjectRenamed',
    ]);
    const [first] = history.body.items;
    expect(first).to.include({ command: 'CreateProject', actor_type: 'user', actor_name: 'admin' });
    const then = await admin.get(`/audit/project/${id}/state?as_of=${created.headers.get('position')}`);
    expect(then.body).to.deep.equal(created.body);
    const now = await admin.getAfter(renamed, `/audit/project/${id}/state`);
    expect(now.body).to.deep.equal(renamed.body);
    const byTime = await admin.get(`/audit/project/${id}/state?as_of=2001-01-01T00:00:00Z`);
    expect(byTime.body).to.include({ status: 404 });
    const event = await admin.get(`/audit/events/${first.position}`);
    expect(event.body).to.deep.equal(first);
    const filtered = await admin.get(`/audit/events?command=CreateProject&resource_id=${id}`);
    expect(filtered.body.items).to.deep.equal([first]);
    const stranger = api.as({ email: 'curious@example.org', role: 'developer' });
    expect((await stranger.get(`/audit/project/${id}`)).status).to.equal(404);
    expect((await stranger.get(`/audit/events/${first.position}`)).status).to.equal(404);
  });

  it('lets only administrators operate', async () => {
    const projections = await api.admin.get('/operations/projections');
    expect(projections.body.items.map(({ name }: { name: string }) => name)).to.include('projects');
    expect((await api.admin.get('/operations/parked')).body.items).to.deep.equal([]);
    const developer = api.as({ email: 'dev@example.org', role: 'developer' });
    expect((await developer.get('/operations/projections')).status).to.equal(403);
    expect((await developer.post('/operations/projections/projects/rebuild', undefined)).status).to.equal(403);
    expect((await api.admin.call('POST', '/operations/projections/nothing/rebuild')).status).to.equal(404);
    expect((await api.admin.call('POST', '/operations/projections/projects/rebuild')).status).to.equal(202);
  });

  it('tells the sidecar what to deliver', async () => {
    const { body } = await api.request('GET', '/dapr/subscribe', { headers: { 'dapr-api-token': SERVICE_TOKEN } });
    expect(body[0]).to.include({ topic: 'budAppMessages', route: '/notifications' });
  });
});
