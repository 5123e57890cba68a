import { expect } from 'chai';
import { WebSocket } from 'ws';
import { createClient } from '../../src/demo/client.ts';
import { Area } from '../../src/events/catalog.ts';
import { checkedFetch } from '../api/checked-fetch.ts';
import { eventually } from '../eventually.ts';
import { type Ask, asking, type Reply } from './asking.ts';
import { aCluster, aModel, settledEndpoint } from './deployment.ts';
import { type JsonSchema, sampleBody } from './sample-body.ts';

interface Credentials {
  email: string;
  password: string;
  realm?: string;
}

/** A running BudApp and an administrator of each of two tenants. */
export interface TwoTenants {
  url: string;
  amber: Credentials;
  basil: Credentials;
}

interface Operation {
  operationId: string;
  security: readonly unknown[];
  parameters: readonly { name?: string; in?: string }[];
  requestBody?: { content: Readonly<Record<string, { schema: JsonSchema; example?: unknown }>> };
}

interface Route extends Operation {
  method: string;
  path: string;
}

/** What stands in everything that Amber makes, and in nothing else. */
const MARK = 'amber';

/** These show the installation, or only who asks: no tenant's things stand in them, not even for the tenant itself. */
const NOBODYS_LISTS = ['/auth/me', '/commands', '/operations/projections', '/operations/parked'];
/** Acts on the installation, for whoever runs it. */
const INSTALLATION = ['/operations/projections/{name}/rebuild'];
/** No event is parked in a healthy system; the list is of the tenant, and these look there. */
const WITHOUT_SUBJECT = ['', '/retry', '/skip'].map((action) => `/operations/parked/{parked_id}${action}`);
/** The caller's own session. */
const OWN_SESSION = ['/auth/logout'];
/** Streams have a test of their own. */
const STREAMS = ['/stream/events'];

const login = async (url: string, json: Credentials): Promise<{ ask: Ask; token: string }> => {
  const { status, body } = await asking(url)('POST', '/auth/login', { json });
  expect(status, JSON.stringify(body)).to.equal(200);
  return { ask: asking(url, body.access_token), token: body.access_token };
};

const saidIn = ({ json, body }: { json?: unknown; body?: FormData }): string =>
  JSON.stringify([json, [...(body ?? [])].map(([name, value]) => [name, String(value)])]);

const textOf = ({ body }: Reply): string => (typeof body === 'string' ? body : JSON.stringify(body));

/** The suite: one tenant has something of everything, and an administrator of another one asks for all of it. */
export const tenantIsolation = (twoTenants: () => TwoTenants): void => {
  let amber: { ask: Ask; token: string };
  let basil: { ask: Ask; token: string };
  /** Amber's things, by the names that parameters and fields have. */
  const ids: Record<string, string> = {};
  let routes: Route[];
  let first: string;

  const fill = (path: string, extra: Readonly<Record<string, string>> = {}): string =>
    path.replaceAll(/\{(\w+)\}/g, (_match, name: string) => {
      const id = extra[name] ?? ids[name];
      if (id === undefined) throw new Error(`this test does not know what to put for {${name}} of ${path}: teach it`);
      return encodeURIComponent(id);
    });

  /** The paths that the route stands for: one for each kind of thing. */
  const pathsOf = ({ path }: Route): string[] =>
    path.includes('{area}')
      ? Area.options.map((area) => fill(path, { area, id: ids[`${area}_id`] ?? '' }))
      : [fill(path)];

  const expectNothingOf = (reply: Reply, what: string): void => {
    const text = textOf(reply);
    expect(text.toLowerCase(), what).not.to.contain(MARK);
    if (reply.status >= 400) return;
    for (const [name, id] of Object.entries(ids)) expect(text, `${what}: ${name}`).not.to.contain(id);
  };

  const reads = () => routes.filter(({ method, path }) => method === 'GET' && !STREAMS.includes(path));
  const items = () => reads().filter(({ path }) => path.includes('{'));
  const lists = () => reads().filter(({ path }) => !path.includes('{'));
  const skippedWrites = [...INSTALLATION, ...WITHOUT_SUBJECT, ...OWN_SESSION];
  const writes = () => routes.filter(({ method, path }) => method !== 'GET' && !skippedWrites.includes(path));

  const bodyOf = ({ requestBody }: Route): { json?: unknown; body?: FormData } => {
    const [type, content] = Object.entries(requestBody?.content ?? {}).at(-1) ?? [];
    if (type === undefined || content === undefined) return {};
    if (type === 'application/json') return { json: sampleBody(content, ids) };
    const form = new FormData();
    for (const [name, value] of Object.entries(sampleBody(content, ids) as object)) form.set(name, String(value));
    form.set('file', new Blob(['of another tenant']), 'file');
    return { body: form };
  };

  const makeEverything = async ({ url, amber: credentials }: TwoTenants) => {
    const client = createClient(url, checkedFetch);
    await client.login(credentials.email, credentials.password);
    const model = await aModel(client, `${MARK}-model`);
    const cluster = await aCluster(client);
    await amber.ask('PATCH', `/clusters/${cluster.id}`, { json: { name: `${MARK}-cluster` } });
    const project = await client.post<{ id: string }>('/projects', { name: `${MARK} project` });
    const accepted = await client.post<{ id: string; workflow_id: string }>('/endpoints', {
      project_id: project.body.id,
      name: `${MARK}-endpoint`,
      model_id: model.id,
      replicas: 1,
    });
    const endpoint = await settledEndpoint(client, accepted);
    expect(endpoint.status, endpoint.reason?.message).to.equal('running');
    const me = await client.get<{ user_id: string }>('/auth/me');
    expect(credentials.email).to.contain(MARK);
    // One of each area; the compiler asks for that of a new one.
    const made: Readonly<Record<`${Area}_id`, string>> = {
      project_id: project.body.id,
      model_id: model.id,
      cluster_id: cluster.id,
      endpoint_id: endpoint.id,
      workflow_id: accepted.body.workflow_id,
      user_id: me.body.user_id,
    };
    Object.assign(ids, made);
    const workers = await eventually('a worker', async () => {
      const { body } = await client.getAt<{ items: { id: string }[] }>(
        `/endpoints/${endpoint.id}/workers`,
        endpoint.position,
      );
      return body.items.length > 0 ? body.items : null;
    });
    ids.worker_id = workers[0]?.id ?? '';
    const { body } = await client.get<{ items: { position: string; event_id: string; meta?: unknown }[] }>(
      '/audit/events?order=oldest-first&limit=1',
    );
    first = body.items[0]?.position ?? '';
    ids.position = first;
    ids.event_id = body.items[0]?.event_id ?? '';
  };

  /** All that Amber can see, as far as it stands still. */
  const everythingOfAmber = async (): Promise<string> => {
    const events = await amber.ask('GET', '/audit/events?limit=200&order=newest-first');
    const states = await Promise.all(
      Area.options.map((area) => amber.ask('GET', `/audit/${area}/${ids[`${area}_id`]}/state`)),
    );
    return JSON.stringify([events.body.items.map((event: { event_id: string }) => event.event_id), states.map(textOf)]);
  };

  before(async function () {
    this.timeout(300_000);
    const tenants = twoTenants();
    amber = await login(tenants.url, tenants.amber);
    basil = await login(tenants.url, tenants.basil);
    await makeEverything(tenants);
    const { body } = await asking(tenants.url)('GET', '/openapi.json');
    const paths = Object.entries(body.paths as Record<string, Record<string, Operation>>);
    routes = paths.flatMap(([path, operations]) =>
      Object.entries(operations)
        .filter(([, { security }]) => security.some((each) => JSON.stringify(each).includes('bearer')))
        .map(([method, operation]) => ({ ...operation, method: method.toUpperCase(), path })),
    );
    expect(routes.length).to.be.greaterThan(50);
  });

  it('shows a tenant its own things by every item route, and another tenant none of them', async () => {
    for (const route of items()) {
      for (const path of pathsOf(route)) {
        const own = await amber.ask('GET', path);
        expect(own.status, `${path} for its owner: ${textOf(own)}`).to.equal(200);
        const asked = await basil.ask('GET', path);
        expect(asked.status, `${path} for another tenant: ${textOf(asked)}`).to.equal(404);
        expectNothingOf(asked, path);
      }
    }
  });

  it('shows them in no list of another tenant', async () => {
    for (const { path } of lists()) {
      const own = textOf(await amber.ask('GET', path));
      const shows = Object.values(ids).some((id) => own.includes(id));
      const nobodys = NOBODYS_LISTS.includes(path) && path !== '/auth/me';
      expect(shows, `${path} for its owner: ${own.slice(0, 200)}`).to.equal(!nobodys);
      expectNothingOf(await basil.ask('GET', path), path);
    }
  });

  it('shows them by no filter, cursor or position of another tenant', async () => {
    const values = { ...ids, project: ids.project_id, resource: ids.endpoint_id, resource_id: ids.endpoint_id };
    const named: Record<string, string | undefined> = { ...values, owner_id: ids.user_id, actor_id: ids.user_id };
    for (const { path, parameters } of lists()) {
      for (const { name = '', in: where } of parameters) {
        const value = name === 'name' ? MARK : named[name];
        if (where !== 'query' || value === undefined) continue;
        const asked = await basil.ask('GET', `${path}?${name}=${encodeURIComponent(value)}`);
        expect(asked.status, `${path}?${name}: ${textOf(asked)}`).to.be.oneOf([200, 404]);
        expectNothingOf(asked, `${path}?${name}`);
        if (asked.status === 200) expect(asked.body.items, `${path}?${name}`).to.deep.equal([]);
      }
    }
    for (const { path } of lists()) {
      const { body } = await amber.ask('GET', `${path}?limit=1`);
      if (typeof body?.next_cursor !== 'string') continue;
      expectNothingOf(await basil.ask('GET', `${path}?limit=200&cursor=${encodeURIComponent(body.next_cursor)}`), path);
    }
  });

  it('shows them at no time in the past', async () => {
    const { body } = await amber.ask('GET', '/audit/events?limit=1&order=newest-first');
    for (const area of Area.options) {
      for (const as_of of [new Date().toISOString(), body.items[0].position]) {
        const path = `/audit/${area}/${ids[`${area}_id`]}/state?as_of=${encodeURIComponent(as_of)}`;
        expect((await amber.ask('GET', path)).status, path).to.equal(200);
        const asked = await basil.ask('GET', path);
        expect(asked.status, path).to.equal(404);
        expectNothingOf(asked, path);
      }
    }
  });

  it('lets another tenant change nothing by any route', async function () {
    this.timeout(300_000);
    const before = await everythingOfAmber();
    for (const route of writes()) {
      const content = bodyOf(route);
      const names = route.path.includes('{') || Object.values(ids).some((id) => saidIn(content).includes(id));
      const asked = await basil.ask(route.method, fill(route.path), content);
      const what = `${route.method} ${route.path} ${JSON.stringify(content.json)}: ${asked.status} ${textOf(asked)}`;
      // 403: a command that only BudApp's own processes give, whoever's things it names.
      if (names) expect(asked.status, what).to.be.oneOf([404, 403]);
      else expect(asked.status, what).to.be.below(500);
      if (asked.status === 403) expect(asked.body.code, what).to.equal('not-permitted');
      expectNothingOf(asked, what);
    }
    expect(await everythingOfAmber()).to.equal(before);
  });

  it('lets two tenants use the same names', async () => {
    for (const { ask } of [amber, basil]) {
      const made = await ask('POST', '/projects', { json: { name: 'a name like any other' } });
      expect(made.status, textOf(made)).to.equal(201);
    }
  });

  const listen = (path: string, token: string) => {
    const address = new URL(path, twoTenants().url);
    if (path.startsWith('/stream/events')) {
      const closing = new AbortController();
      let text = '';
      const done = checkedFetch(address, { headers: { authorization: `Bearer ${token}` }, signal: closing.signal })
        .then(async ({ body }) => {
          for await (const chunk of body ?? []) text += Buffer.from(chunk).toString('utf8');
        })
        .catch(() => undefined);
      const close = async () => {
        closing.abort();
        await done;
      };
      return { text: () => text, close };
    }
    address.protocol = 'ws:';
    const socket = new WebSocket(address, { headers: { authorization: `Bearer ${token}` } });
    let text = '';
    socket.on('message', (data) => {
      text += String(data);
    });
    socket.on('error', () => undefined);
    return { text: () => text, close: async () => socket.close() };
  };

  for (const stream of ['/stream', '/stream/events']) {
    it(`tells another tenant nothing on ${stream}, neither of the past nor live`, async () => {
      const [own, other, filtered] = [
        listen(`${stream}?from=${first}`, amber.token),
        listen(`${stream}?from=${first}`, basil.token),
        listen(`${stream}?from=${first}&project=${ids.project_id}`, basil.token),
      ];
      try {
        const described = await amber.ask('PATCH', `/projects/${ids.project_id}`, { json: { description: stream } });
        expect(described.status, textOf(described)).to.equal(200);
        const made = await basil.ask('POST', '/projects', { json: { name: `basil ${stream}` } });
        expect(made.status).to.equal(201);
        await eventually('what Amber did', async () => (own.text().includes(ids.project_id ?? '') ? true : null));
        await eventually('what Basil did', async () => (other.text().includes(made.body.id) ? true : null));
        for (const { text } of [other, filtered]) {
          expect(text().toLowerCase()).not.to.contain(MARK);
          for (const id of Object.values(ids)) expect(text().replaceAll(ids.project_id ?? '', '')).not.to.contain(id);
        }
        expect(other.text()).not.to.contain(ids.project_id);
      } finally {
        await Promise.all([own, other, filtered].map(({ close }) => close()));
      }
    });
  }
};
