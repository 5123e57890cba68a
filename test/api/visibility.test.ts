import { EventEmitter, once } from 'node:events';
import { expect } from 'chai';
import { v7 } from 'uuid';
import { WebSocket } from 'ws';
import { resources } from '../../src/api/resource.ts';
import { commandCatalog } from '../../src/commands/catalog.ts';
import { Area, type Fact, streamOf, toFact } from '../../src/events/catalog.ts';
import { ClusterId, EndpointId, ModelId, ProjectId, UserId, WorkflowId } from '../../src/events/ids.ts';
import type { Sealed } from '../../src/events/sealed.ts';
import { projectOf, visibility } from '../../src/events/visibility.ts';
import { fact } from '../commands/fixture.ts';
import { anEvent, fresh } from '../projections/facts.ts';
import { OTHER_TENANT, TENANT } from './fake-identity.ts';
import { type RunningApi, startApi } from './running-api.ts';

type Asking = ReturnType<RunningApi['as']>;

/** Of whom a thing is: its project's members, the whole tenant, or only its administrators. */
type Audience = 'members' | 'tenant' | 'administrators';

interface Example {
  id: string;
  audience: Audience;
  /** Its whole history. The last one names no project, where such a fact exists. */
  history: readonly Fact[];
}

interface Given {
  project_id: ProjectId;
  /** A text that the vault can open. */
  sealed: Sealed;
}

const endpointOf = ({ project_id }: Given): Example => {
  const endpoint_id = fresh(EndpointId);
  const reported = fact('EndpointReplicasReported', { endpoint_id });
  return {
    id: endpoint_id,
    audience: 'members',
    history: [fact('EndpointRequested', { endpoint_id, project_id }), reported],
  };
};

const workflowOf = (audience: Audience, started: Partial<ReturnType<typeof fact<'WorkflowStarted'>>['data']>) => {
  // Young workflows are waited for where they are not seen.
  const workflow_id = WorkflowId.parse(v7({ msecs: Date.now() - 3_600_000 }));
  const history = [fact('WorkflowStarted', { workflow_id, ...started }), fact('WorkflowSucceeded', { workflow_id })];
  return { id: workflow_id, audience, history };
};

/** Something of every area; the compiler asks a new area for its own. */
const examples: Readonly<Record<Area, (given: Given) => readonly Example[]>> = {
  project: ({ project_id }) => [
    { id: project_id, audience: 'members', history: [fact('ProjectDescribed', { project_id })] },
  ],
  model: () => {
    const model_id = fresh(ModelId);
    return [{ id: model_id, audience: 'tenant', history: [fact('CloudModelRegistered', { model_id })] }];
  },
  cluster: () => {
    const cluster_id = fresh(ClusterId);
    return [{ id: cluster_id, audience: 'tenant', history: [fact('ClusterRegistrationRequested', { cluster_id })] }];
  },
  endpoint: (given) => [endpointOf(given)],
  workflow: ({ project_id }) => [
    workflowOf('members', { project_id }),
    workflowOf('tenant', {
      project_id: null,
      kind: 'cluster-onboarding',
      target: { area: 'cluster', id: fresh(ClusterId), name: 'home' },
    }),
  ],
  user: ({ sealed }) => {
    const user_id = fresh(UserId);
    return [
      {
        id: user_id,
        audience: 'administrators',
        history: [fact('UserRegistered', { user_id, subject: user_id, email: sealed, name: sealed })],
      },
    ];
  },
};

/** The ids that the person's live stream tells of from the start until the person's own new project. */
const idsInStream = async (api: RunningApi, { post, token }: Asking): Promise<string[]> => {
  const headers = { authorization: `Bearer ${token}` };
  const socket = new WebSocket(`${api.url.replace('http', 'ws')}/stream?from=start`, { headers });
  const ids: string[] = [];
  const news = new EventEmitter();
  socket.on('message', (data) => {
    ids.push(JSON.parse(String(data)).subject.split('.').at(-1));
    news.emit('frame');
  });
  const marker: string = (await post('/projects', { name: `the end of ${token}` })).body.id;
  while (!ids.includes(marker)) await once(news, 'frame');
  socket.close();
  await once(socket, 'close');
  return ids;
};

describe('who sees the things of an area', () => {
  let api: RunningApi;
  let people: Record<'admin' | 'member' | 'stranger' | 'foreigner', Asking>;
  let given: Given;
  /** The position after which all that follows was made. */
  let made: string;
  const things = new Map<Area, readonly Example[]>();
  const streams = new Map<Asking, Promise<string[]>>();

  const record = async (area: Area, { id, history }: Example): Promise<void> => {
    const actor = { type: 'process', id: 'test', name: 'test' } as const;
    const events = history.map((each) => {
      const event = anEvent(each, { tenant_id: TENANT });
      return { ...event, meta: { ...event.meta, actor } };
    });
    await api.services.log.append(streamOf(area, id), events, { expected: 'any' });
  };

  before(async () => {
    api = await startApi();
    people = {
      admin: api.admin,
      member: api.as({ email: 'member@example.org', role: 'developer' }),
      stranger: api.as({ email: 'stranger@example.org', role: 'developer' }),
      foreigner: api.as({ email: 'foreigner@example.org', role: 'admin', tenant_id: OTHER_TENANT }),
    };
    for (const { get } of Object.values(people)) expect((await get('/auth/me')).status).to.equal(200);
    const { body } = await api.admin.post('/projects', { name: 'the project' });
    const { user_id } = (await people.member.get('/auth/me')).body;
    const scopes = [...new Set(Object.values(visibility).flatMap(({ project, view }) => (project ? [view] : [])))];
    expect((await api.admin.post(`/projects/${body.id}/members`, { user_id, scopes })).status).to.equal(200);
    const seal = await api.services.vault.sealer('somebody');
    given = { project_id: ProjectId.parse(body.id), sealed: seal('Somebody') };
    for (const area of Area.options) {
      things.set(area, examples[area](given));
      for (const example of things.get(area) ?? []) await record(area, example);
    }
    made = (await api.services.log.head()) ?? '';
  });

  after(() => api.close());

  const fresher = (path: string): string => `${path}${path.includes('?') ? '&' : '?'}min_position=${made}`;
  const stream = (person: Asking): Promise<string[]> => {
    const known = streams.get(person) ?? idsInStream(api, person);
    streams.set(person, known);
    return known;
  };

  /** Where the person finds the thing. */
  const placesOf = async (person: Asking, area: Area, { id }: Example): Promise<string[]> => {
    const found = async (path: string): Promise<boolean> => (await person.get(fresher(path))).status === 200;
    const list = await person.get(fresher(`${resources[area].path}?limit=200`));
    const items: { id: string }[] = list.status === 200 ? list.body.items : [];
    const places = {
      item: await found(`${resources[area].path}/${id}`),
      list: items.some((item) => item.id === id),
      history: await found(`/audit/${area}/${id}`),
      state: await found(`/audit/${area}/${id}/state`),
      stream: (await stream(person)).includes(id),
    };
    return Object.entries(places).flatMap(([place, isThere]) => (isThere ? [place] : []));
  };

  const EVERYWHERE = ['item', 'list', 'history', 'state', 'stream'];
  const SEEN_BY: Readonly<Record<Audience, readonly (keyof typeof people)[]>> = {
    members: ['admin', 'member'],
    tenant: ['admin', 'member', 'stranger'],
    administrators: ['admin'],
  };

  for (const area of Area.options) {
    it(`shows a ${area} everywhere to those who may see it, and nowhere to others`, async () => {
      expect(things.get(area)).to.not.deep.equal([]);
      for (const example of things.get(area) ?? []) {
        for (const who of ['admin', 'member', 'stranger', 'foreigner'] as const) {
          const wanted = SEEN_BY[example.audience].includes(who) ? EVERYWHERE : [];
          expect(await placesOf(people[who], area, example), `${who}, of ${example.audience}`).to.deep.equal(wanted);
        }
      }
    });

    it(`shows a member each live frame of a ${area}, also those that name no project`, async () => {
      for (const { id, history, audience } of things.get(area) ?? []) {
        const frames = (await stream(people.member)).filter((each) => each === id).length;
        if (SEEN_BY[audience].includes('member')) expect(frames).to.be.at.least(history.length);
      }
    });

    it(`lists the events of a ${area} that name a project only to those who may look into it`, async () => {
      for (const { id } of things.get(area) ?? []) {
        const eventsFor = async (who: keyof typeof people): Promise<{ project_id: string | null }[]> =>
          (await people[who].get(fresher(`/audit/events?resource_id=${id}`))).body.items;
        const all = await eventsFor('admin');
        expect(all).to.not.deep.equal([]);
        const named = all.filter(({ project_id }) => project_id !== null);
        expect(await eventsFor('member')).to.deep.equal(named);
        for (const who of ['stranger', 'foreigner'] as const) expect(await eventsFor(who), who).to.deep.equal([]);
      }
    });

    it(`says of a ${area} that it names its project exactly where its row does`, () => {
      const namesProject = 'project_id' in resources[area].projection.row.shape;
      expect(visibility[area].project === 'project_id').to.equal(namesProject);
    });

    it(`decides who may change a ${area} by the same project that decides who sees it`, async () => {
      const aggregate = commandCatalog.find((command) => command.aggregate.area === area)?.aggregate;
      for (const { id } of things.get(area) ?? []) {
        let state = null;
        for await (const event of api.services.log.readStream(streamOf(area, id))) {
          state = aggregate?.evolve(state, toFact(event));
        }
        const { body: row } = await people.admin.get(fresher(`${resources[area].path}/${id}`));
        expect(projectOf(area, { ...state, id })).to.equal(projectOf(area, row));
      }
    });
  }

  it('shows everybody themselves, in item, audit and stream', async () => {
    const { user_id } = (await people.stranger.get('/auth/me')).body;
    const self = { id: user_id, audience: 'members', history: [] } as const;
    expect(await placesOf(people.stranger, 'user', self)).to.deep.equal(['item', 'history', 'state', 'stream']);
  });
});
