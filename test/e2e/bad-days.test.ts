import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Client } from '../../src/demo/client.ts';
import type { ClusterView, EndpointView, ModelView } from '../../src/demo/story.ts';
import { eventually } from '../eventually.ts';
import { type Ask, admin, asking, expectProblem, type Reply } from './asking.ts';
import { type BudApp, inferenceProcesses, loggedIn, startBudApp } from './budapp.ts';
import { aCluster, aModel, headOf, settledEndpoint, wholeHistory } from './deployment.ts';

const NOBODY = '0197f3c2-0000-7000-8000-000000000000';

describe('deployments on bad days', function () {
  this.timeout(300_000);
  let dataDir = '';
  let budapp: BudApp;
  let client: Client;
  let ask: Ask;
  let model: ModelView;
  let cluster: ClusterView;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'budapp-bad-days-'));
    await start();
    model = await aModel(client, 'unlucky');
    cluster = await aCluster(client);
    expect([model.status, cluster.status]).to.deep.equal(['active', 'available']);
  });

  after(async () => {
    await budapp.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  const start = async () => {
    budapp = await startBudApp(dataDir);
    client = await loggedIn(budapp);
    ({ ask } = await admin(budapp.url));
  };

  const deploy = (name: string, more: object = {}) =>
    ask('POST', '/endpoints', { json: { name, model_id: model.id, replicas: 1, ...more } });

  const settled = (reply: Reply): Promise<EndpointView> => {
    expect(reply.status, JSON.stringify(reply.body)).to.equal(202);
    return settledEndpoint(client, { body: reply.body, position: reply.headers.get('position') });
  };

  const running = async (name: string, more: object = {}): Promise<EndpointView> => {
    const endpoint = await settled(await deploy(name, more));
    expect(endpoint.status, endpoint.reason?.message).to.equal('running');
    return endpoint;
  };

  const gone = async ({ id }: { id: string }) => {
    expect((await settled(await ask('DELETE', `/endpoints/${id}`))).status).to.equal('deleted');
  };

  const workflowOf = (id: string) =>
    eventually(`the workflow ${id} ends`, async () => {
      const { status, body } = await ask('GET', `/workflows/${id}`);
      return status === 404 || body.status === 'running' ? null : body;
    });

  /** Nothing is held on the cluster: no capacity, no process; and its name can be had again. */
  const expectCleared = async (name: string) => {
    const { body: audit } = await ask('GET', `/audit/cluster/${cluster.id}/state`);
    expect(audit.reservations).to.deep.equal({});
    await eventually('no inference process is left', async () =>
      (await inferenceProcesses(dataDir)).length === 0 ? true : null,
    );
    await gone(await running(name));
  };

  const serviceToken = async () => (await readFile(join(dataDir, 'service.token'), 'utf8')).trim();

  describe('capacity', () => {
    const HUGE = { resources_per_replica: { cpu_millis: 100, memory_mib: 50_000_000 } };

    it('refuses at once more replicas than the named cluster has room for, and holds nothing', async () => {
      const before = await wholeHistory(client);
      const refused = await deploy('too-big', { cluster_id: cluster.id, replicas: 2, ...HUGE });
      expectProblem(refused, 409, 'cluster-full');
      expect(await wholeHistory(client)).to.have.length(before.length);
      await expectCleared('too-big');
    });

    it('ends in failed with a reason where no cluster has the room, with nothing reserved', async () => {
      const failed = await settled(await deploy('nowhere', { replicas: 2, ...HUGE }));
      expect(failed.status).to.equal('failed');
      expect(failed.reason?.code).to.be.a('string');
      expect(failed.reason?.message).to.match(/room|cluster|capacity/i);
      const { status } = await workflowOf(failed.rollout.workflow_id);
      expect(status).to.equal('failed');
      await expectCleared('nowhere');
    });

    it('gives room for two to two of three who want it at the same moment', async () => {
      const { body } = await ask('GET', `/clusters/${cluster.id}`);
      const memory_mib = Math.ceil(body.capacity.total.memory_mib * 0.4);
      const json = { resources_per_replica: { cpu_millis: 100, memory_mib }, cluster_id: cluster.id };
      const replies = await Promise.all(['first', 'second', 'third'].map((name) => deploy(name, json)));
      const endpoints = await Promise.all(
        replies.filter(({ status }) => status === 202).map((reply) => settled(reply)),
      );
      const won = endpoints.filter(({ status }) => status === 'running');
      expect(won.length, JSON.stringify(endpoints.map(({ reason }) => reason))).to.equal(2);
      await Promise.all(won.map(gone));
      await expectCleared('third');
    });
  });

  describe('scaling', () => {
    it('goes up and down again, and refuses what cannot be', async () => {
      const endpoint = await running('scaled');
      const scale = (replicas: unknown) => ask('POST', `/endpoints/${endpoint.id}/scale`, { json: { replicas } });
      for (const wrong of [-1, 65, 1.5, '2', null]) expect((await scale(wrong)).status).to.equal(422);
      const { body } = await ask('GET', `/clusters/${cluster.id}`);
      const { cpu_millis, memory_mib } = body.reservations[endpoint.id].resources;
      const most = Math.min(
        Math.floor(body.capacity.total.cpu_millis / cpu_millis),
        Math.floor(body.capacity.total.memory_mib / memory_mib),
      );
      const tooMany = await scale(Math.min(64, most + 1));
      expect(tooMany.status, JSON.stringify(tooMany.body)).to.equal(409);

      const up = await scale(2);
      expectProblem(await scale(3), 409, 'endpoint-not-running');
      const two = await settled(up);
      expect(two.status).to.equal('running');
      expect(two.observed?.replicas.available).to.equal(2);
      expect(await inferenceProcesses(dataDir)).to.have.length(2);
      const one = await settled(await scale(1));
      expect(one.observed?.replicas.available).to.equal(1);
      await eventually('one process is left', async () =>
        (await inferenceProcesses(dataDir)).length === 1 ? true : null,
      );
      const { body: after } = await ask('GET', `/audit/cluster/${cluster.id}/state`);
      expect(after.reservations[endpoint.id].replicas).to.equal(1);
      expect((await scale(1)).status).to.equal(200);
      await gone(endpoint);
      expectProblem(await scale(2), 404, 'endpoint-not-found');
    });

    it('stops with 0 replicas, answers so at the URL, and starts again', async () => {
      const endpoint = await running('sleeper');
      const put = (replicas: number) => ask('PUT', `/endpoints/${endpoint.id}`, { json: { replicas } });
      const ready = () => fetch(`${endpoint.url}/v2/health/ready`);
      const reserved = async () =>
        (await ask('GET', `/audit/cluster/${cluster.id}/state`)).body.reservations[endpoint.id];
      expect((await ready()).status).to.equal(200);

      const stopped = await settled(await put(0));
      expect(stopped).to.include({ status: 'stopped', url: endpoint.url, name: 'sleeper' });
      expect(await inferenceProcesses(dataDir)).to.deep.equal([]);
      expect(await reserved()).to.deep.equal({ replicas: 0, resources: { cpu_millis: 0, memory_mib: 0 } });
      const answer = await ready();
      expect(answer.status).to.equal(503);
      expect(await answer.text()).to.contain('is stopped');

      expect(await settled(await put(1))).to.include({ status: 'running', url: endpoint.url });
      expect((await ready()).status).to.equal(200);
      expect(await reserved()).to.include({ replicas: 1 });
      await settled(await put(0));
      await gone(endpoint);
    });
  });

  describe('deleting what is in use', () => {
    it('refuses to delete the project, model and cluster of a live endpoint, and names it', async () => {
      const project = await ask('POST', '/projects', { json: { name: 'in use' } });
      const endpoint = await running('in-the-way', { project_id: project.body.id });
      for (const path of [`/projects/${project.body.id}`, `/models/${model.id}`, `/clusters/${cluster.id}`]) {
        const refused = await ask('DELETE', path);
        expectProblem(refused, 409, `${/\w+/.exec(path)?.[0].slice(0, -1)}-in-use`);
        expect(refused.body.endpoints).to.deep.equal([{ id: endpoint.id, name: 'in-the-way' }]);
        expect(refused.body.detail).to.include('in-the-way');
      }
      await gone(endpoint);
      expect((await ask('DELETE', `/projects/${project.body.id}`)).status).to.equal(200);
    });
  });

  describe('cancelling', () => {
    it('deploys and scales again what was cancelled, on request', async () => {
      const retry = (id: string, key = 'first') =>
        ask('POST', `/workflows/${id}/retry`, { headers: { 'idempotency-key': `${id}-${key}` } });
      const { body: accepted } = await deploy('second-chance');
      await ask('POST', `/workflows/${accepted.workflow_id}/cancel`);
      expect((await workflowOf(accepted.workflow_id)).status).to.equal('cancelled');
      expect((await ask('GET', `/endpoints/${accepted.id}`)).body.status).to.equal('cancelled');

      const again = await retry(accepted.workflow_id);
      expect(again.body.workflow_id).not.to.equal(accepted.workflow_id);
      const endpoint = await settled(again);
      expect(endpoint).to.include({ id: accepted.id, status: 'running', name: 'second-chance' });
      expect((await retry(accepted.workflow_id)).body.workflow_id).to.equal(again.body.workflow_id);
      expectProblem(await retry(accepted.workflow_id, 'other'), 409, 'workflow-not-retryable');
      expectProblem(await retry(again.body.workflow_id), 409, 'workflow-not-retryable');
      expectProblem(await retry(NOBODY), 404, 'workflow-not-found');
      expectProblem(await retry(model.workflow_id ?? ''), 409, 'workflow-not-retryable');
      const { body: facts } = await ask('GET', `/audit/endpoint/${accepted.id}`);
      const requests = facts.items.filter(
        ({ event_type }: { event_type: string }) => event_type === 'EndpointRequested',
      );
      expect(requests.map(({ data }: { data: { retries?: string } }) => data.retries)).to.deep.equal([
        undefined,
        accepted.workflow_id,
      ]);

      const scaling = await ask('POST', `/endpoints/${accepted.id}/scale`, { json: { replicas: 2 } });
      await ask('POST', `/workflows/${scaling.body.workflow_id}/cancel`);
      expect((await workflowOf(scaling.body.workflow_id)).status).to.equal('cancelled');
      const scaled = await settled(await retry(scaling.body.workflow_id));
      expect(scaled).to.deep.include({ status: 'running' });
      expect((await ask('GET', `/endpoints/${accepted.id}`)).body.desired.replicas).to.equal(2);
      expectProblem(await retry(scaling.body.workflow_id, 'other'), 409, 'workflow-not-retryable');
      await gone(endpoint);
    });

    it('calls a deployment off in any state that is not final, and gives everything back', async () => {
      for (const state of ['pending', 'placing', 'deploying']) {
        const accepted = await deploy('called-off', { replicas: 2 });
        expect(accepted.status, JSON.stringify(accepted.body)).to.equal(202);
        await eventually(
          `it is at least ${state}`,
          async () => {
            const { body } = await ask('GET', `/audit/endpoint/${accepted.body.id}/state`);
            return state === 'pending' || body.status === state || body.status === 'running' ? true : null;
          },
          { longestPauseMs: 10 },
        );
        await eventually(
          'its workflow has begun',
          async () => ((await ask('GET', `/workflows/${accepted.body.workflow_id}`)).status === 200 ? true : null),
          { longestPauseMs: 10 },
        );
        const cancelled = await ask('POST', `/workflows/${accepted.body.workflow_id}/cancel`);
        expect(cancelled.status, `${state} ${JSON.stringify(cancelled.body)}`).to.equal(202);
        const endpoint = await settled(accepted);
        expect(endpoint.status, state).to.equal('cancelled');
        expect((await workflowOf(accepted.body.workflow_id)).status).to.equal('cancelled');
        expectProblem(await ask('POST', `/workflows/${accepted.body.workflow_id}/cancel`), 409, 'workflow-finished');
      }
      await expectCleared('called-off');
    });
  });

  describe('callbacks', () => {
    let endpoint: EndpointView;

    before(async () => {
      endpoint = await running('called-back');
    });
    after(() => gone(endpoint));

    const message = (payload: object, more: object = {}) => ({
      specversion: '1.0',
      id: crypto.randomUUID(),
      type: 'deploy_model',
      source_topic: 'budClusterMessages',
      notification_type: 'event',
      name: 'bud-internal',
      subscriber_ids: NOBODY,
      payload: { category: 'internal', type: 'deploy_model', source: 'budcluster', ...payload },
      ...more,
    });
    const content = (status: string, result: unknown = null) => ({
      ...{ title: 'A step', message: 'it went on', status, result, primary_action: null },
    });
    const deliver = async (body: unknown, token?: string) =>
      asking(budapp.url)('POST', '/notifications', {
        ...(typeof body === 'string' ? { body, headers: { 'content-type': 'application/json' } } : { json: body }),
        headers: { 'content-type': 'application/json', 'dapr-api-token': token ?? (await serviceToken()) },
      });
    const shown = async () => {
      const { body: audit } = await ask('GET', `/audit/endpoint/${endpoint.id}/state`);
      const { body: workflow } = await ask('GET', `/audit/workflow/${endpoint.rollout.workflow_id}/state`);
      const { body: held } = await ask('GET', `/audit/cluster/${cluster.id}/state`);
      // What was recorded as ignored moves the workflow's revision, and nothing else of it.
      const { revision, position, updated_at, ...rest } = workflow;
      return { audit, rest, held: held.reservations };
    };

    it('that come twice, late or out of order change nothing, and are recorded as ignored', async () => {
      const workflow_id = endpoint.rollout.workflow_id;
      const before = await shown();
      const late = [
        message({ workflow_id, event: 'verify_cluster_connection', content: content('STARTED') }),
        message({ workflow_id, event: 'deploy_to_engine', content: content('FAILED') }),
        message({ workflow_id, event: 'results', content: content('COMPLETED', null) }),
        message({ workflow_id, event: 'results', content: content('FAILED') }),
        message({ workflow_id, event: 'no_such_step', content: content('COMPLETED') }),
        message({ workflow_id, event: 'eta', content: { ...content('RUNNING'), message: 'soon' } }),
        message({ workflow_id, event: 'ranking', type: 'get_cluster_recommendations', content: content('COMPLETED') }),
      ];
      for (const one of [...late, ...late.toReversed()]) {
        const reply = await deliver(one);
        expect([reply.status, reply.body.status]).to.deep.equal([200, 'SUCCESS']);
      }
      expect(await shown()).to.deep.equal(before);
      const history = `/audit/workflow/${workflow_id}?limit=200`;
      const { body } = await client.getAt<Reply['body']>(history, await headOf(client));
      const own = body.items.filter(
        ({ event_type, data }: { event_type: string; data: { message_id: string } }) =>
          event_type === 'WorkflowMessageIgnored' && late.some(({ id }) => id === data.message_id),
      );
      // Each once: the second delivery bears the same id.
      expect(own.map(({ data }: { data: { message_id: string } }) => data.message_id)).to.have.members(
        late.map(({ id }) => id),
      );
    });

    it('of unknown workflows, wrong shapes and other categories are dropped and leave no trace', async () => {
      const before = [await shown(), (await wholeHistory(client)).length];
      const garbage: unknown[] = [
        message({ workflow_id: NOBODY, event: 'results', content: content('COMPLETED') }),
        message({ workflow_id: 'no id', event: 'results', content: content('COMPLETED') }),
        message({
          category: 'inapp',
          workflow_id: endpoint.rollout.workflow_id,
          event: 'results',
          content: content('FAILED'),
        }),
        message({ event: 'results', content: content('COMPLETED') }),
        { object: 'workflow_metadata', workflow_id: NOBODY },
        { payload: { type: 7 } },
        {},
        [],
        'null',
        7,
        '{"broken',
      ];
      for (const one of garbage) {
        const reply = await deliver(one);
        expect([reply.status, reply.body.status], JSON.stringify(one)).to.deep.equal([200, 'DROP']);
      }
      expect([await shown(), (await wholeHistory(client)).length]).to.deep.equal(before);
    });

    it('without the token, or with a wrong one, are refused and leave no trace', async () => {
      const before = (await wholeHistory(client)).length;
      const one = message({ workflow_id: endpoint.rollout.workflow_id, event: 'results', content: content('FAILED') });
      expectProblem(await deliver(one, ''), 401, 'invalid-service-token');
      expectProblem(await deliver(one, 'x'.repeat(43)), 401, 'invalid-service-token');
      expectProblem(await ask('POST', '/notifications', { json: one }), 401, 'invalid-service-token');
      expect(await wholeHistory(client)).to.have.length(before);
    });

    it('of status that speak of no deployment of ours are dropped', async () => {
      const result = { deployment_name: 'bud-nobody', cluster_id: NOBODY, status: 'failed', replicas: { total: 0 } };
      const one = message({
        type: 'deployment-status-update',
        event: 'results',
        content: content('COMPLETED', result),
      });
      expect((await deliver(one)).body.status).to.equal('DROP');
      const { body } = await ask('GET', `/endpoints/${endpoint.id}`);
      expect(body.status).to.equal('running');
    });
  });

  describe('killed replicas', () => {
    it('come back, however often all of them are killed', async () => {
      const endpoint = await running('hunted', { replicas: 2 });
      for (let round = 0; round < 3; round += 1) {
        const before = await inferenceProcesses(dataDir);
        expect(before).to.have.length(2);
        for (const pid of before) process.kill(pid, 'SIGKILL');
        await eventually(
          'both are replaced and answer',
          async () => {
            const now = await inferenceProcesses(dataDir);
            if (now.length !== 2 || now.some((pid) => before.includes(pid))) return null;
            const response = await fetch(`${endpoint.url}/v2/models/hunted/ready`).catch(() => null);
            const { body } = await ask('GET', `/endpoints/${endpoint.id}`);
            return response?.ok && body.status === 'running' && body.observed.replicas.available === 2 ? true : null;
          },
          { timeoutMs: 180_000 },
        );
      }
      const { body } = await ask('GET', `/audit/endpoint/${endpoint.id}?limit=200`);
      const types = body.items.map(({ event_type }: { event_type: string }) => event_type);
      expect(types.filter((type: string) => type === 'EndpointDegraded').length).to.be.at.least(1);
      expect(types.filter((type: string) => type === 'EndpointRecovered').length).to.equal(
        types.filter((type: string) => type === 'EndpointDegraded').length,
      );
      await gone(endpoint);
      expect(await inferenceProcesses(dataDir)).to.deep.equal([]);
    });
  });

  describe('ends of the server', () => {
    it('has after kill -9 all that it had answered', async () => {
      const names = Array.from({ length: 20 }, (_, index) => `answered ${index}`);
      const answered: string[] = [];
      const asked = names.map(async (name) => {
        const reply = await ask('POST', '/projects', { json: { name } });
        if (reply.status === 201) answered.push(reply.body.id);
        if (answered.length === 10) await budapp.kill();
      });
      await Promise.allSettled(asked);
      expect(answered.length).to.be.at.least(10);
      await start();
      for (const id of answered) {
        const { status } = await ask('GET', `/audit/project/${id}/state?min_position=${(await head()) ?? ''}`);
        expect(status).to.equal(200);
      }
      const history = await wholeHistory(client);
      expect(new Set(history.map(({ event_id }) => event_id)).size).to.equal(history.length);
      // The names that no answer came for are either made or free, and nothing in between.
      for (const name of names) {
        const { body } = await ask('GET', `/projects?name=${encodeURIComponent(name)}`);
        if (body.items.length === 0) expect((await ask('POST', '/projects', { json: { name } })).status).to.equal(201);
      }
    });

    const head = async (): Promise<string | null> => (await ask('GET', '/audit/events?limit=1')).body.position;

    it('continues a deployment after a SIGTERM in the middle', async () => {
      const accepted = await deploy('interrupted', { replicas: 2 });
      expect(accepted.status).to.equal(202);
      expect(await budapp.stop()).to.equal(0);
      expect(await inferenceProcesses(dataDir)).to.deep.equal([]);
      await start();
      const endpoint = await settled(accepted);
      expect(endpoint.status, endpoint.reason?.message).to.equal('running');
      expect(await inferenceProcesses(dataDir)).to.have.length(2);
      await gone(endpoint);
      await expectCleared('interrupted');
    });
  });
});
