import { expect } from 'chai';
import { v7 } from 'uuid';
import { createEventStoreLog } from '../../../src/adapters/eventstore/log.ts';
import { type Area, type Fact, streamOf } from '../../../src/events/catalog.ts';
import { ClusterId, EndpointId, ModelId, ProjectId, WorkflowId } from '../../../src/events/ids.ts';
import { createLogger } from '../../../src/telemetry.ts';
import { fact } from '../../commands/fixture.ts';
import { createEventStoreDouble, type EventStoreDouble } from '../../eventstore-double/double.ts';
import { anEvent, fresh } from '../../projections/facts.ts';
import { TENANT } from '../fake-identity.ts';
import { type Reply, type RunningApi, startApi } from '../running-api.ts';

type Asking = ReturnType<RunningApi['as']>;

/** A tenth of what it is in production, so that an outage of 2.5 s is to the log what 25 s are there. */
const TIMEOUTS = { timeout: 1000, attemptTimeout: 400, pageTimeout: 1000 };
const OUTAGE_MS = 2500;
/** Of a read in the outage. In good times the slowest takes some ten milliseconds. */
const MAX_READ_MS = 1000;
/** What a read may wait until the outage is noticed: `OWN_WRITES_TIMEOUT_SECONDS`, and of the health checks 2 s. */
const MAX_FIRST_MS = 3000;
const MAX_WRITE_MS = 3000;

/** What reads the log itself, or says how it is. Everything else answers without it. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  '/audit/{area}/{id}/state': 'replays the stream, and says 503 meanwhile',
  '/health/ready': 'says that the log is away',
  '/metrics': 'says nothing of the lag while the head of the log is not known',
  '/stream': 'is a WebSocket',
  '/stream/events': 'stays open, see stream-without-log.test.ts',
};

/** What does not answer 200 in good times either, in this API without services, login pages and uploads. */
const NOT_FOUND_ANYWAY = [
  '/auth/authorize',
  '/auth/callback',
  '/endpoints/{endpoint_id}/metrics',
  '/endpoints/{endpoint_id}/workers',
  '/endpoints/{endpoint_id}/workers/{worker_id}/logs',
];

describe('reads while the log is away', () => {
  let double: EventStoreDouble;
  let api: RunningApi;
  let people: Record<'administrator' | 'owner' | 'viewer' | 'promoted', Asking>;
  let ids: Record<string, string>;
  let paths: string[];

  const record = async (area: Area, id: string, ...facts: Fact[]): Promise<void> => {
    const events = facts.map((each) => anEvent(each, { tenant_id: TENANT }));
    const seal = await api.services.vault.sealer(events[0]?.meta.actor.id ?? '');
    const actor = { ...events[0]?.meta.actor, name: seal('Ada') } as (typeof events)[number]['meta']['actor'];
    const told = events.map((event) => ({ ...event, meta: { ...event.meta, actor } }));
    await api.services.log.append(streamOf(area, id), told, { expected: 'any' });
  };

  const addressOf = (path: string): string => path.replaceAll(/\{(\w+)\}/g, (_, name) => ids[name] ?? `no-${name}`);

  const timed = async (ask: () => Promise<Reply>) => {
    const start = performance.now();
    const reply = await ask();
    return { reply, took: performance.now() - start };
  };

  const readAll = async (who: Asking, max: number): Promise<Map<string, string>> => {
    const seen = new Map<string, string>();
    for (const path of paths) {
      const { reply, took } = await timed(() => who.get(addressOf(path)));
      expect(took, `milliseconds of GET ${path}`).to.be.below(max);
      const text = JSON.stringify(reply.body, (name, value) => (name === 'request_id' ? undefined : value));
      seen.set(path, `${reply.status} ${text}`);
    }
    return seen;
  };

  before(async () => {
    double = await createEventStoreDouble();
    const logger = createLogger({ level: 'silent' });
    api = await startApi({}, { openLog: () => createEventStoreLog({ url: double.url, logger, ...TIMEOUTS }) });
    const promoted = { email: 'promoted@example.org', issued_at: Math.floor(Date.now() / 1000) - 60 };
    people = {
      administrator: api.admin,
      owner: api.as({ email: 'owner@example.org', role: 'developer' }),
      viewer: api.as({ email: 'viewer@example.org', role: 'viewer' }),
      // An administrator has changed the role here: what each token says is another one.
      promoted: api.as({ ...promoted, role: 'viewer' }),
    };
    for (const { get } of Object.values(people)) expect((await get('/auth/me')).status).to.equal(200);
    const { user_id } = (await people.promoted.get('/auth/me')).body;
    const changed = { role: 'developer', scopes: [] };
    expect((await api.admin.call('PUT', `/users/${user_id}/permissions`, changed)).status).to.equal(200);
    people.promoted = api.as({ ...promoted, issued_at: promoted.issued_at + 30, role: 'viewer' });

    const project_id = ProjectId.parse((await people.owner.post('/projects', { name: 'the project' })).body.id);
    const made = { model: fresh(ModelId), cluster: fresh(ClusterId), endpoint: fresh(EndpointId) };
    // A young one is waited for where it is not seen.
    const workflow_id = WorkflowId.parse(v7({ msecs: Date.now() - 3_600_000 }));
    await record('model', made.model, fact('CloudModelRegistered', { model_id: made.model }));
    await record('cluster', made.cluster, fact('ClusterRegistrationRequested', { cluster_id: made.cluster }));
    await record('endpoint', made.endpoint, fact('EndpointRequested', { endpoint_id: made.endpoint, project_id }));
    await record('workflow', workflow_id, fact('WorkflowStarted', { workflow_id, project_id }));
    const position = (await api.services.log.head()) ?? '';
    expect((await api.admin.get(`/audit/events/${position}`, { 'min-position': position })).status).to.equal(200);
    ids = {
      ...{ project_id, user_id, workflow_id, position, area: 'project', id: project_id },
      ...{ model_id: made.model, cluster_id: made.cluster, endpoint_id: made.endpoint },
    };
    const document = (await api.request('GET', '/openapi.json')).body;
    const read = Object.keys(document.paths).filter((path) => document.paths[path].get);
    paths = read.filter((path) => EXCEPTIONS[path] === undefined && !path.startsWith('/docs'));
    expect(Object.keys(EXCEPTIONS).filter((path) => !read.includes(path))).to.deep.equal([]);
  });
  after(async () => {
    await api?.close();
    await double?.close();
  });

  it('answer as before and as fast, to everyone; what needs the log says 503 with Retry-After', async () => {
    const before = new Map<Asking, Map<string, string>>();
    for (const who of Object.values(people)) before.set(who, await readAll(who, MAX_READ_MS));
    const ofAdmin = [...(before.get(api.admin) ?? [])];
    const refused = ofAdmin.filter(([, seen]) => !seen.startsWith('200')).map(([path]) => path);
    expect(refused).to.have.members(NOT_FOUND_ANYWAY);

    await double.stop();
    const end = performance.now() + OUTAGE_MS;
    expect((await timed(() => api.admin.get('/auth/me'))).took).to.be.below(MAX_FIRST_MS);
    do {
      for (const [who, seen] of before) expect(await readAll(who, MAX_READ_MS)).to.deep.equal(seen);
    } while (performance.now() < end);

    const ready = await timed(() => api.request('GET', '/health/ready'));
    expect([ready.reply.status, ready.reply.body.status]).to.deep.equal([503, 'not-ready']);
    expect((await timed(() => api.request('GET', '/metrics'))).reply.status).to.equal(200);
    const { owner } = people;
    const waiting = [
      () => owner.post('/projects', { name: 'another one' }),
      () => owner.call('PATCH', addressOf('/projects/{project_id}'), { description: 'changed' }),
      () => api.admin.post('/clusters', { name: 'edge', configuration: 'apiVersion: v1' }),
      () => owner.get(addressOf('/audit/{area}/{id}/state')),
    ];
    for (const ask of waiting) {
      const { reply, took } = await timed(ask);
      expect([reply.status, reply.body.code]).to.deep.equal([503, 'log-unavailable']);
      expect(Number(reply.headers.get('retry-after'))).to.be.above(0);
      expect(took).to.be.below(MAX_WRITE_MS);
    }

    await double.start();
    expect((await owner.post('/projects', { name: 'another one' })).status).to.equal(201);
  });

  it('follow a role that has changed at the identity provider, and record it once the log is back', async () => {
    const person = { email: 'leaver@example.org', issued_at: Math.floor(Date.now() / 1000) - 60 };
    const asAdmin = api.as({ ...person, role: 'admin' });
    const { user_id } = (await asAdmin.get('/auth/me')).body;
    const demoted = api.as({ ...person, issued_at: person.issued_at + 30, role: 'viewer' });
    await double.stop();
    expect((await demoted.get('/auth/me')).body).to.deep.include({ role: 'viewer' });
    const { reply, took } = await timed(() => demoted.get('/auth/me'));
    expect(reply.body).to.deep.include({ role: 'viewer' });
    expect(took).to.be.below(MAX_READ_MS);
    await double.start();
    for (;;) {
      await demoted.get('/auth/me');
      if ((await api.admin.get(`/users/${user_id}`)).body.role === 'viewer') break;
    }
    expect((await asAdmin.get('/auth/me')).body.role).to.equal('viewer');
  });
});
