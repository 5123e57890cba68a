import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { recordClusterRegistered } from '../../src/commands/cluster/internal/record-cluster-registered.ts';
import type { AnyCommand } from '../../src/commands/command.ts';
import { completeWorkflow } from '../../src/commands/workflow/internal/complete-workflow.ts';
import { startWorkflow } from '../../src/commands/workflow/internal/start-workflow.ts';
import { CommandId, newId, WorkflowId } from '../../src/events/ids.ts';
import { ServiceFailure } from '../../src/ports/service-invoker.ts';
import { TENANT } from './fake-identity.ts';
import { type Reply, type RunningApi, SERVICE_TOKEN, startApi } from './running-api.ts';

const NODE = {
  name: 'n1',
  status: 'Ready',
  resources: { cpu_millis: 4000, memory_mib: 8192 },
  devices: [{ type: 'cpu', name: 'cpu', available_count: 4 }],
};

const REPORTED = { name: 'n1', status: true, devices: [], capacity: { cpu_millis: 2000, memory_mib: 4096 } };

describe('what other services tell and are asked', () => {
  let api: RunningApi;
  let userId: string;
  before(async () => {
    api = await startApi();
    userId = (await api.admin.get('/auth/me')).body.user_id;
  });
  after(() => api.close());

  const perform = (command: AnyCommand, data: unknown) =>
    api.services.handle(command, data, {
      caller: {
        tenant_id: TENANT,
        actor: { type: 'process', id: 'test', name: 'test' },
        access: 'system',
        user_id: null,
      },
      command_id: newId(CommandId),
      correlation_id: newId(CommandId),
    });

  const deliver = (body: unknown, token = SERVICE_TOKEN): Promise<Reply> =>
    api.request('POST', '/notifications', {
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/cloudevents+json', 'dapr-api-token': token },
    });

  const message = (id: string, payload: Record<string, unknown>) => ({
    specversion: '1.0',
    id,
    type: payload.type,
    payload: { category: 'internal', source: 'budcluster', ...payload },
  });

  const aCluster = async (name: string, budClusterId: string) => {
    const { body } = await api.admin.post('/clusters', { name, configuration: 'apiVersion: v1' });
    const data = { cluster_id: body.id, bud_cluster_id: budClusterId, nodes: [NODE] };
    const { position } = await perform(recordClusterRegistered, data);
    const read = await api.admin.get(`/clusters/${body.id}?min_position=${position}`);
    expect(read.body.status, JSON.stringify(read.body)).to.equal('available');
    return body.id as string;
  };

  const aWorkflow = async () => {
    const workflow_id = newId(WorkflowId);
    await perform(startWorkflow, {
      workflow_id,
      kind: 'endpoint-deployment',
      target: { area: 'endpoint', id: newId(WorkflowId), name: 'e' },
      project_id: null,
      user_id: userId,
      steps: [{ id: 'verify_cluster_connection', title: 'Connect' }],
      deadline: new Date(Date.now() + 60_000).toISOString(),
    });
    return workflow_id;
  };

  const step = (workflowId: string, id: string, status = 'COMPLETED') =>
    message(id, {
      type: 'deploy_model',
      event: 'verify_cluster_connection',
      workflow_id: workflowId,
      content: { title: 't', message: 'm', status, result: null },
    });

  const eventsOf = async (stream: string): Promise<string[]> => {
    const types: string[] = [];
    for await (const { type } of api.services.log.readStream(stream)) types.push(type);
    return types;
  };

  it('takes messages only with the token', async () => {
    const reply = await deliver({}, 'wrong');
    expect(reply.body).to.include({ status: 401, code: 'invalid-service-token' });
  });

  it('records a message in its workflow once, however often it is delivered', async () => {
    const workflowId = await aWorkflow();
    expect((await deliver(step(workflowId, 'm-1'))).body).to.deep.equal({ status: 'SUCCESS' });
    expect((await deliver(step(workflowId, 'm-1'))).body).to.deep.equal({ status: 'SUCCESS' });
    const types = await eventsOf(`workflow-${workflowId}`);
    expect(types).to.deep.equal(['WorkflowStarted', 'WorkflowStepSucceeded']);
    // The same news under another id is kept, and changes nothing.
    expect((await deliver(step(workflowId, 'm-2'))).body).to.deep.equal({ status: 'SUCCESS' });
    expect(await eventsOf(`workflow-${workflowId}`)).to.deep.equal([...types, 'WorkflowMessageIgnored']);
  });

  it('drops what it can never record, and asks for the rest again', async () => {
    expect((await deliver(step(newId(WorkflowId), 'm-3'))).body).to.deep.equal({ status: 'DROP' });
    expect((await deliver({ payload: 'nonsense' })).body).to.deep.equal({ status: 'DROP' });
    expect((await deliver({ workflow_metadata: {} })).body).to.deep.equal({ status: 'DROP' });
    const unknown = { cluster_id: 'nobody', status: 'available' };
    const report = message('m-4', { type: 'cluster-status-update', event: 'results', content: { result: unknown } });
    expect((await deliver(report)).body).to.deep.equal({ status: 'DROP' });
  });

  it('drops what it cannot even read, which would come back for ever, but not before it has seen the token', async () => {
    const send = (body: string, type = 'application/json', token = SERVICE_TOKEN) =>
      api.request('POST', '/notifications', { body, headers: { 'content-type': type, 'dapr-api-token': token } });
    const unreadable = [
      '{"broken":',
      '[]',
      '"text"',
      'null',
      '['.repeat(100),
      JSON.stringify('x'.repeat(2 * 1024 * 1024)),
    ];
    for (const body of unreadable) {
      const reply = await send(body);
      expect([reply.status, reply.body], body.slice(0, 40)).to.deep.equal([200, { status: 'DROP' }]);
      expect((await send(body, 'application/json', 'wrong')).status).to.equal(401);
    }
    expect((await send('<p>', 'text/html')).body).to.deep.equal({ status: 'DROP' });
  });

  it('ends a workflow whose message cannot be read, once, and not for who has no token', async () => {
    const broken: Record<string, (workflow_id: string) => unknown> = {
      'without content': (workflow_id) => ({
        id: 'm-1',
        payload: { type: 'deploy_model', event: 'results', workflow_id },
      }),
      'with a number as type': (workflow_id) => message('m-2', { type: 7, event: 'results', workflow_id, content: {} }),
      'without an event': (workflow_id) =>
        message('m-3', { type: 'deploy_model', event: '', workflow_id, content: {} }),
      'with a list as status': (workflow_id) => ({
        id: 4,
        payload: { type: 'deploy_model', event: 'x', workflow_id, source: {}, content: { status: [] } },
      }),
    };
    for (const [what, make] of Object.entries(broken)) {
      const workflowId = await aWorkflow();
      const body = make(workflowId) as Record<string, unknown>;
      expect((await deliver(body, 'wrong')).status).to.equal(401);
      expect(await eventsOf(`workflow-${workflowId}`), what).to.deep.equal(['WorkflowStarted']);
      expect((await deliver(body)).body, what).to.deep.equal({ status: 'DROP' });
      expect((await deliver({ ...body, id: 'again' })).body, what).to.deep.equal({ status: 'DROP' });
      const types = await eventsOf(`workflow-${workflowId}`);
      expect(types, what).to.deep.equal(['WorkflowStarted', 'WorkflowStepFailed']);
      const { body: shown } = await api.admin.get(
        `/workflows/${workflowId}?min_position=${await api.services.log.head()}`,
      );
      expect(shown.steps[0].reason.code, what).to.equal('unreadable-message');
    }
  });

  it('leaves alone with unreadable messages what has ended, what is unknown, and what is not meant', async () => {
    const workflowId = await aWorkflow();
    const unreadable = (workflow_id: unknown, more: object = {}) => ({ payload: { type: 1, workflow_id, ...more } });
    expect((await deliver(unreadable(workflowId, { category: 'inapp' }))).body).to.deep.equal({ status: 'DROP' });
    for (const unknown of [newId(WorkflowId), 'no id', 7, null]) {
      expect((await deliver(unreadable(unknown))).body).to.deep.equal({ status: 'DROP' });
    }
    await perform(completeWorkflow, { workflow_id: workflowId });
    expect((await deliver(unreadable(workflowId))).body).to.deep.equal({ status: 'DROP' });
    expect(await eventsOf(`workflow-${workflowId}`)).to.deep.equal(['WorkflowStarted', 'WorkflowSucceeded']);
  });

  it('records text that Postgres cannot store with the replacement character, and goes on', async () => {
    const workflowId = await aWorkflow();
    const hostile = message('m-nul', {
      type: 'deploy_model',
      event: 'verify_cluster_connection',
      workflow_id: workflowId,
      content: { title: 't', message: 'a\0b\ud83d', status: 'COMPLETED', result: { 'k\0': ['\0'] } },
    });
    const reply = await deliver(hostile);
    expect(reply.body).to.deep.equal({ status: 'SUCCESS' });
    const texts: unknown[] = [];
    for await (const { data } of api.services.log.readStream(`workflow-${workflowId}`)) texts.push(data);
    expect(JSON.stringify(texts))
      .to.contain('a\ufffdb\ufffd')
      .and.not.match(/\\u(0000|d83d)/);
    const position = await api.services.log.head();
    const read = await api.admin.get(`/workflows/${workflowId}?min_position=${position}`);
    expect(read.body).to.include({ status: 'running' });
  });

  it('records how a cluster is', async () => {
    const id = await aCluster('reporting', 'bud-1');
    const result = { cluster_id: 'bud-1', status: 'available', node_info: { nodes: [REPORTED] } };
    const report = message('m-5', { type: 'cluster-status-update', event: 'results', content: { result } });
    expect((await deliver(report)).body).to.deep.equal({ status: 'SUCCESS' });
    const head = await api.services.log.head();
    const nodes = await api.admin.get(`/clusters/${id}/nodes?min_position=${head}`);
    expect(nodes.body.items[0].resources).to.deep.equal(REPORTED.capacity);
  });

  it('asks the cluster service at a sync, and answers what was found', async () => {
    const id = await aCluster('synced', 'bud-2');
    api.double.answer = ({ path }) => (path.endsWith('/nodes') ? { nodes: [REPORTED] } : { status: 'available' });
    const reply = await api.admin.call('POST', `/clusters/${id}/sync`);
    expect(reply.status, JSON.stringify(reply.body)).to.equal(200);
    expect(reply.body.capacity.total).to.deep.equal(REPORTED.capacity);
    expect(reply.body).to.not.have.property('bud_cluster_id');
    const viewer = api.as({ email: 'looker@example.org', role: 'viewer' });
    expect((await viewer.call('POST', `/clusters/${id}/sync`)).body).to.include({ status: 403 });
  });

  it('answers a repeated sync the same again without asking, and refuses the key for another body', async () => {
    const id = await aCluster('synced-once', 'bud-4');
    const path = `/clusters/${id}/sync`;
    const key = { 'idempotency-key': 'sync-once' };
    api.double.answer = ({ path: asked }) =>
      asked.endsWith('/nodes') ? { nodes: [REPORTED] } : { status: 'available' };
    const first = await api.admin.call('POST', path, undefined, key);
    expect(first.status, JSON.stringify(first.body)).to.equal(200);
    api.double.answer = ({ path: asked }) => (asked.endsWith('/nodes') ? { nodes: [] } : { status: 'available' });
    const later = await api.admin.call('POST', path);
    expect(later.body.revision).to.equal(first.body.revision + 1);
    api.double.answer = () => {
      throw new ServiceFailure('away', { retryable: true, status: null });
    };
    for (const body of [undefined, {}]) {
      const again = await api.admin.call('POST', path, body, key);
      expect(again.status, JSON.stringify(again.body)).to.equal(200);
      expect(again.body).to.deep.equal(first.body);
      expect(again.headers.get('position')).to.equal(first.headers.get('position'));
    }
    const other = await api.admin.call('POST', path, { deep: true }, key);
    expect(other.body).to.include({ status: 422, code: 'idempotency-key-reused' });
    expect((await api.admin.call('POST', path, { deep: true })).body).to.include({ code: 'invalid-input' });
  });

  it('refuses a sync whose key belongs to one that is still running', async () => {
    const id = await aCluster('synced-slowly', 'bud-5');
    const key = { 'idempotency-key': 'sync-slowly' };
    const asked = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<void>();
    api.double.answer = async ({ path }) => {
      asked.resolve();
      await answered.promise;
      return path.endsWith('/nodes') ? { nodes: [REPORTED] } : { status: 'available' };
    };
    const running = api.admin.call('POST', `/clusters/${id}/sync`, undefined, key);
    await asked.promise;
    const second = await Promise.race([
      api.admin.call('POST', `/clusters/${id}/sync`, undefined, key),
      sleep(60_000, undefined, { ref: false }).then(() => expect.fail('the second request was not refused')),
    ]).finally(() => answered.resolve());
    expect(second.body).to.include({ status: 409, code: 'request-in-progress' });
    expect((await running).status).to.equal(200);
  });

  it('says that a service is not there, without saying where', async () => {
    const id = await aCluster('unreachable', 'bud-3');
    api.double.answer = () => {
      throw new (class extends Error {})('connect ECONNREFUSED 10.0.0.1:9082');
    };
    const broken = await api.admin.call('POST', `/clusters/${id}/sync`);
    expect(broken.body).to.include({ status: 500, code: 'internal-error' });
    expect(JSON.stringify(broken.body)).to.not.contain('10.0.0.1');
    api.double.answer = () => ({ unexpected: true });
    expect((await api.admin.call('POST', `/clusters/${id}/sync`)).body).to.include({ code: 'service-refused' });
  });

  it("works with the seed's example bodies as they are written", async () => {
    const model = await api.admin.post('/models/cloud', {
      name: 'llama-2-7b',
      source: 'huggingface',
      repo_id: 'meta-llama/Llama-2-7b',
    });
    expect(model.status, JSON.stringify(model.body)).to.equal(202);
    const endpoint = await api.admin.post('/endpoints', {
      name: 'llama-endpoint',
      model_id: model.body.id,
      replicas: 2,
    });
    // The project was filled in: what is left to object to is the model, which is not read yet.
    expect(endpoint.body, JSON.stringify(endpoint.body)).to.include({ status: 409, code: 'model-not-active' });
    const deployed = await api.admin.post(`/models/${model.body.id}/deploy`, { name: 'llama-endpoint' });
    expect(deployed.body).to.include({ status: 409, code: 'model-not-active' });
  });
});
