import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { pino } from 'pino';
import { startWorkflow } from '../../src/commands/workflow/internal/start-workflow.ts';
import type { Notification } from '../../src/contracts/notification.ts';
import { CommandId, newId, UserId, WorkflowId } from '../../src/events/ids.ts';
import { publishOver } from '../../src/local/service/delivery.ts';
import { messageOf } from '../../src/local/service/message.ts';
import { TENANT } from '../api/fake-identity.ts';
import { type RunningApi, SERVICE_TOKEN, startApi } from '../api/running-api.ts';
import { keptPort } from './harness/ports.ts';
import { startDaprd } from './servers/daprd.ts';
import { startRedis } from './servers/redis.ts';

const tokens = { dapr_api_token: 'token-of-the-sidecars', app_api_token: SERVICE_TOKEN };
const silent = pino({ level: 'silent' });

describe('BudApp behind its sidecar', function () {
  this.timeout(60_000);
  let dir: string;
  let api: RunningApi;
  const opened: { close(): Promise<void> }[] = [];
  let send: (message: Notification) => Promise<boolean>;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'dapr-budapp-'));
    const open = async <T extends { close(): Promise<void> }>(starting: Promise<T>): Promise<T> => {
      const resource = await starting;
      opened.push(resource);
      return resource;
    };
    const redis = await open(startRedis({ dir, password: 'secret' }));
    api = await open(startApi());
    const sidecar = { dir, tokens, redis: redis.settings };
    const app_port = Number(new URL(api.url).port);
    await open(startDaprd({ ...sidecar, app_id: 'budapp', app_port, health_path: '/health' }));
    const { http_port } = await open(
      startDaprd({ ...sidecar, app_id: 'budcluster', app_port: await keptPort(dir, 'nobody') }),
    );
    const publisher = { http_port, api_token: tokens.dapr_api_token, pubsub_name: 'pubsub-redis', log: silent };
    send = (message) => publishOver(publisher)(message, AbortSignal.timeout(5_000));
  });
  after(async () => {
    for (const resource of opened.reverse()) await resource.close();
    await rm(dir, { recursive: true, force: true });
  });

  const aWorkflow = async (): Promise<WorkflowId> => {
    const workflow_id = newId(WorkflowId);
    const data = {
      workflow_id,
      kind: 'endpoint-deployment',
      target: { area: 'endpoint', id: newId(WorkflowId), name: 'e' },
      project_id: null,
      user_id: newId(UserId),
      steps: [{ id: 'verify_cluster_connection', title: 'Connect' }],
      deadline: new Date(Date.now() + 60_000).toISOString(),
    };
    const actor = { type: 'process', id: 'test', name: 'test' } as const;
    await api.services.handle(startWorkflow, data, {
      caller: { tenant_id: TENANT, actor, access: 'system', user_id: null },
      command_id: newId(CommandId),
      correlation_id: newId(CommandId),
    });
    return workflow_id;
  };

  const stepOf = (workflow_id: string) =>
    messageOf(
      { source: 'budcluster', source_topic: 'budClusterMessages' },
      { name: 'bud-internal', subscriber_ids: 'u', workflow_id },
      { type: 'deploy_model', event: 'verify_cluster_connection', title: 't', message: 'm', status: 'COMPLETED' },
    );

  /** Types of the events of a stream, from the first on, as they come. */
  const eventsUntil = async (stream: string, count: number): Promise<string[]> => {
    const types: string[] = [];
    const stop = new AbortController();
    const filter = { streamPrefixes: [stream] };
    for await (const event of api.services.log.subscribe({ after: 'start', filter, live: true, signal: stop.signal })) {
      if ('caughtUp' in event) continue;
      types.push(event.type);
      if (types.length === count) stop.abort();
    }
    return types;
  };

  it('records what a service publishes over its own sidecar, once for each id', async () => {
    const workflow_id = await aWorkflow();
    const [step, another] = [stepOf(workflow_id), stepOf(workflow_id)];
    for (const message of [step, step, another]) expect(await send(message)).to.equal(true);
    expect((await eventsUntil(`workflow-${workflow_id}`, 3)).toSorted()).to.deep.equal([
      'WorkflowMessageIgnored',
      'WorkflowStarted',
      'WorkflowStepSucceeded',
    ]);
  });

  it('lets nobody else call it in the name of its sidecar', async () => {
    const reply = await api.request('POST', '/notifications', {
      body: '{}',
      headers: { 'content-type': 'application/cloudevents+json', 'dapr-api-token': tokens.dapr_api_token },
    });
    expect(reply.status).to.equal(401);
  });
});
