import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { v7 } from 'uuid';
import { createDaprInvoker, type DaprInvoker } from '../../src/adapters/dapr/invoker.ts';
import { parseAnswer, toRequest } from '../../src/contracts/calls.ts';
import { parseResult } from '../../src/contracts/notification.ts';
import { aRequest, describeInvoker, serviceFailureOf, startService } from '../contract/invoker.ts';
import { MODEL } from '../local/cluster/cluster-client.ts';
import { asynchronous, hasEnded, resultOf } from '../local/receiver.ts';
import { createDaprReceiver, type DaprReceiver } from './harness/dapr-receiver.ts';
import { keptPort } from './harness/ports.ts';
import { startLocalService } from './servers/budapp.ts';
import { startDaprd } from './servers/daprd.ts';
import { startRedis } from './servers/redis.ts';

const tokens = { dapr_api_token: 'token-of-the-sidecars', app_api_token: 'token-of-the-application' };

/** A Redis, and sidecars that find each other; all end together. */
const startMesh = async () => {
  const dir = await mkdtemp(join(tmpdir(), 'dapr-'));
  const opened: { close(): Promise<void> }[] = [];
  const open = async <T extends { close(): Promise<void> }>(starting: Promise<T>): Promise<T> => {
    const resource = await starting;
    opened.push(resource);
    return resource;
  };
  const redis = await open(startRedis({ dir, password: 'secret' }));
  return {
    dir,
    open,
    sidecarOf: (app_id: string, app_port: number) =>
      open(startDaprd({ dir, app_id, app_port, tokens, redis: redis.settings })),
    portOf: (name: string) => keptPort(dir, name),
    invokerOver: (http_port: number, api_token = tokens.dapr_api_token) => createDaprInvoker({ http_port, api_token }),
    async close() {
      for (const resource of opened.reverse()) await resource.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
};
type Mesh = Awaited<ReturnType<typeof startMesh>>;

describeInvoker('dapr invoker over two sidecars', async (service) => {
  const mesh = await startMesh();
  await mesh.sidecarOf('budsim', service.port);
  const { http_port } = await mesh.sidecarOf('budapp', await mesh.portOf('nobody'));
  const invoker = mesh.invokerOver(http_port);
  return {
    invoker,
    async close() {
      await invoker.close();
      await mesh.close();
    },
  };
});

describe('services behind sidecars', function () {
  this.timeout(60_000);
  let mesh: Mesh;
  before(async () => {
    mesh = await startMesh();
  });
  after(() => mesh?.close());

  it('may be asked again where their sidecar was up before them, and answer once they are', async () => {
    const port = await mesh.portOf('late');
    await mesh.sidecarOf('late', port);
    const { http_port } = await mesh.sidecarOf('asking', await mesh.portOf('nobody'));
    const invoker = mesh.invokerOver(http_port);
    const request = aRequest({ app_id: 'late' });
    const failure = await serviceFailureOf(invoker.invoke(request));
    expect(failure).to.include({ status: 500, retryable: true });
    expect(failure.message).to.contain('ERR_DIRECT_INVOKE');
    const service = await mesh.open(startService(port));
    service.answerWith(200, '{"up":true}');
    expect(await invoker.invoke(request)).to.deep.equal({ up: true });
  });

  it('are retryable where the service is unknown, and where the own sidecar starts later', async () => {
    const invoker = mesh.invokerOver(await mesh.portOf('dapr-early-http'));
    const request = aRequest({ app_id: 'nobody-at-all' });
    const without = await serviceFailureOf(invoker.invoke(request));
    expect(without).to.include({ status: null, retryable: true });
    expect(without.message).to.contain('DAPR_HTTP_PORT');
    await mesh.sidecarOf('early', await mesh.portOf('nobody'));
    const unknown = await serviceFailureOf(invoker.invoke(request));
    expect(unknown).to.include({ status: 500, retryable: true });
    await invoker.check();
  });

  it('are not reached with a wrong token, which is our fault and named', async () => {
    const { http_port } = await mesh.sidecarOf('strict', await mesh.portOf('nobody'));
    const failure = await serviceFailureOf(mesh.invokerOver(http_port, 'wrong').invoke(aRequest()));
    expect(failure).to.include({ status: 401, retryable: false });
    expect(failure.message).to.contain('DAPR_API_TOKEN');
  });

  for (const whose of ['our', 'their'] as const) {
    it(`may be asked again where ${whose} sidecar is killed in the middle of a call`, async () => {
      const service = await mesh.open(startService());
      const theirs = await mesh.sidecarOf(`victim-of-${whose}`, service.port);
      const ours = await mesh.sidecarOf(`asks-${whose}`, await mesh.portOf('nobody'));
      const invoker = mesh.invokerOver(ours.http_port);
      const request = aRequest({ app_id: `victim-of-${whose}`, timeout_ms: 20_000 });
      const asked = new Promise<void>((resolve) => service.handleWith(() => resolve()));
      const failing = serviceFailureOf(invoker.invoke(request));
      await asked;
      const killed = whose === 'our' ? ours : theirs;
      await killed.stop('kill');
      expect(await failing).to.include({ retryable: true });
      await killed.start();
      service.answerWith(200, '{"up":true}');
      expect(await invoker.invoke(request)).to.deep.equal({ up: true });
    });
  }
});

describe('local services as processes of their own, behind sidecars', function () {
  this.timeout(60_000);
  let mesh: Mesh;
  let receiver: DaprReceiver;
  let invoker: DaprInvoker;

  before(async () => {
    mesh = await startMesh();
    const port = await mesh.portOf('receiver');
    receiver = createDaprReceiver(port);
    await receiver.start();
    const { http_port } = await mesh.sidecarOf('budapp', port);
    invoker = mesh.invokerOver(http_port);
    for (const app_id of ['budcluster', 'budmodel', 'budsim']) {
      const service_port = await mesh.portOf(app_id);
      const { settings } = await mesh.sidecarOf(app_id, service_port);
      await mesh.open(startLocalService({ dir: mesh.dir, app_id, port: service_port, settings }));
    }
  });
  after(async () => {
    await receiver?.stop();
    await mesh?.close();
  });

  const messages = () => receiver.received.map(({ message }) => message);
  const endOf = async (workflow_id: string) => {
    await receiver.until(() => hasEnded(workflow_id)(messages()));
    return resultOf(messages(), workflow_id);
  };

  it('register a cluster from an upload, and tell of it over pub/sub', async () => {
    const workflow_id = v7();
    const request = toRequest('cluster.register', {
      cluster_create_request: {
        name: 'c1',
        cluster_type: 'ON_PREM',
        ingress_url: 'http://127.0.0.1',
        enable_master_node: true,
        ...asynchronous(workflow_id),
      },
      configuration: 'apiVersion: v1\nkind: Config\n',
    });
    const accepted = parseAnswer('cluster.register', await invoker.invoke(request));
    expect(accepted.status).to.equal('PENDING');
    const end = await endOf(workflow_id);
    expect(end).to.include({ status: 'COMPLETED' });
    expect(parseResult('register_cluster', end?.result)?.id).to.be.a('string');
  });

  it('ask each other: the simulator ranks what the cluster service has', async () => {
    const workflow_id = v7();
    const request = toRequest('simulator.run', {
      ...{ pretrained_model_uri: MODEL, input_tokens: 0, output_tokens: 0, concurrency: 1, hardware_mode: 'dedicated' },
      ...{ target_ttft: null, target_throughput_per_user: null, target_e2e_latency: null },
      ...{ is_proprietary_model: false, model_endpoints: null, ...asynchronous(workflow_id) },
    });
    const { workflow_id: theirs } = parseAnswer('simulator.run', await invoker.invoke(request));
    expect(await endOf(workflow_id)).to.include({ status: 'COMPLETED' });
    const read = toRequest('simulator.recommendations', { workflow_id: theirs, limit: 1 });
    const { items } = parseAnswer('simulator.recommendations', await invoker.invoke(read));
    expect(items).to.have.length(1);
  });

  it('are given a body with DELETE, too', async () => {
    const workflow_id = v7();
    const request = toRequest('cluster.delete-worker', { worker_id: v7(), ...asynchronous(workflow_id) });
    parseAnswer('cluster.delete-worker', await invoker.invoke(request));
    expect(await endOf(workflow_id)).to.include({ status: 'COMPLETED' });
  });

  it('answer at once what needs no work, and refuse what is not theirs', async () => {
    const extract = toRequest('model.extract-cloud', { model_uri: 'openai/gpt' });
    const { model_info } = parseAnswer('model.extract-cloud', await invoker.invoke(extract));
    expect(model_info).to.include({ uri: 'openai/gpt' });
    const remove = toRequest('model.delete-files', { path: '/etc' });
    expect(await serviceFailureOf(invoker.invoke(remove))).to.include({ status: 403, retryable: false });
  });
});
