import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createLocalCluster } from '../../../src/local/cluster/local-cluster.ts';
import { createEngines } from '../../../src/local/engine/engines.ts';
import { onnxRuntime } from '../../../src/local/engine/onnx/onnx-runtime.ts';
import { ServeMetrics } from '../../../src/local/metrics/serve-metrics.ts';
import type { LocalService } from '../../../src/local/service/loopback.ts';
import { echo } from '../engine/echo/echo.ts';
import { identity } from '../engine/onnx/build-onnx.ts';
import { binaryBody } from '../engine/onnx/running-replica.ts';
import type { Json } from '../json.ts';
import { silent } from '../receiver.ts';
import { createClient, type Inbox, openInbox, request } from './cluster-client.ts';

describe("the local cluster's ingress", () => {
  let dir: string;
  let inbox: Inbox;
  let cluster: LocalService;
  let client: ReturnType<typeof createClient>;
  let cluster_id: string;
  let model: string;

  const engines = createEngines([onnxRuntime, echo]);

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'ingress-'));
    model = join(dir, 'identity.onnx');
    await writeFile(model, identity('FP32', ['n']));
    inbox = await openInbox();
    cluster = await createLocalCluster({
      ...{ data_dir: join(dir, 'cluster'), callback: inbox.callback, engines, log: silent },
    });
    client = createClient(() => cluster, inbox);
    cluster_id = (await client.register('register', 'kind: Config')).result.id;
  });
  after(async () => {
    await cluster.close();
    await inbox.close();
    await rm(dir, { recursive: true });
  });

  const input = { name: 'x', datatype: 'FP32', shape: [1], data: [1] };
  const infer = (
    url: string,
    body: string | Uint8Array<ArrayBuffer> = JSON.stringify({ inputs: [input] }),
    headers = {},
    name = 'Angle',
  ) => fetch(`${url}/v2/models/${name}/infer`, { method: 'POST', body, headers });
  const statusOf = async (answer: Promise<Response>) => {
    const response = await answer;
    await response.arrayBuffer();
    return response.status;
  };
  const seen = async (namespace: string) => {
    const { body } = await request(cluster, 'GET', `serve-metrics?namespace=${namespace}`);
    const { minutes } = ServeMetrics.parse(body);
    const sum = (field: 'requests' | 'client_errors' | 'failures') =>
      minutes.reduce((total, minute) => total + minute[field], 0);
    return { requests: sum('requests'), client_errors: sum('client_errors'), failures: sum('failures') };
  };

  it('answers while one replica is frozen, and takes it back when it goes on', async () => {
    const { namespace, result }: Json = await client.deploy('frozen', { cluster_id, model, replicas: 2 });
    const [frozen] = await client.workersOf({ cluster_id, namespace });
    const noticed = client.statusOf(namespace, ({ replicas }) => replicas.available === 1);
    process.kill(frozen.pid, 'SIGSTOP');
    try {
      const answers = Array.from({ length: 6 }, () => statusOf(infer(result.deployment_url)));
      expect(await Promise.all(answers)).to.deep.equal(new Array(6).fill(200));
      const { replicas, worker_data_list } = await noticed;
      expect(replicas.reason).to.match(/1 of 2 replicas are ready: .* does not answer its health probe/);
      expect(worker_data_list.map(({ status }: Json) => status)).to.have.members(['NotReady', 'Running']);
    } finally {
      process.kill(frozen.pid, 'SIGCONT');
    }
    const { worker_data_list } = await client.statusOf(namespace, ({ replicas }) => replicas.available === 2);
    expect(worker_data_list.map(({ pid }: Json) => pid)).to.include(frozen.pid);
    await client.remove('frozen-away', { cluster_id, namespace });
  });

  it('lets a request that ends replicas end no more than two', async () => {
    const greeting = join(dir, 'hello.echo');
    await writeFile(greeting, 'hello\n');
    const { namespace, result }: Json = await client.deploy('poison', { cluster_id, model: greeting, replicas: 3 });
    const say = (body: string, headers = {}) =>
      fetch(`${result.deployment_url}/say`, { method: 'POST', body, headers });
    expect(await statusOf(say('hi', { 'content-encoding': 'gzip' }))).to.equal(415);
    const before = (await client.workersOf({ cluster_id, namespace })).map(({ pid }) => pid);
    const ready = client.statusOf(
      namespace,
      ({ status, worker_data_list: workers }) =>
        status === 'ready' && workers.filter(({ pid }: Json) => before.includes(pid)).length === 1,
    );
    expect(await statusOf(say('die'))).to.equal(502);
    expect(await statusOf(say('hi'))).to.equal(200);
    await ready;
    await client.remove('poison-away', { cluster_id, namespace });
  });

  it('counts inference requests by outcome: not its own check, not metadata, not health', async () => {
    const { namespace, result }: Json = await client.deploy('counted', { cluster_id, model });
    const url = result.deployment_url;
    expect(result.mean_latency_ms).to.be.greaterThan(0);
    for (const path of ['/v2', '/v2/health/ready', '/v2/models/Angle', '/v2/nowhere'])
      await statusOf(fetch(`${url}${path}`));
    expect(await seen(namespace)).to.deep.equal({ requests: 0, client_errors: 0, failures: 0 });

    expect(await statusOf(infer(url))).to.equal(200);
    expect(await statusOf(infer(url, '{'))).to.equal(400);
    expect(await statusOf(infer(url, '{}', {}, 'other'))).to.equal(404);
    expect(await statusOf(infer(url, undefined, { 'x-budapp-check': 'guessed' }))).to.equal(200);
    expect(await seen(namespace)).to.deep.equal({ requests: 4, client_errors: 2, failures: 0 });

    const down = client.statusOf(namespace, ({ replicas }) => replicas.available === 0);
    process.kill((await client.workersOf({ cluster_id, namespace }))[0].pid, 'SIGKILL');
    await down;
    expect(await statusOf(infer(url))).to.equal(503);
    expect(await seen(namespace)).to.deep.equal({ requests: 5, client_errors: 2, failures: 1 });
    await client.remove('counted-away', { cluster_id, namespace });
  });

  it('passes binary tensor data on, in both directions', async () => {
    const { namespace, result }: Json = await client.deploy('binary', { cluster_id, model });
    const sent = Buffer.from(Float32Array.of(1.5, Number.NaN).buffer);
    const { body, headers } = binaryBody(
      {
        inputs: [{ name: 'x', datatype: 'FP32', shape: [2], parameters: { binary_data_size: sent.length } }],
        parameters: { binary_data_output: true },
      },
      sent,
    );
    const answer = await infer(result.deployment_url, new Uint8Array(body), headers);
    const bytes = Buffer.from(await answer.arrayBuffer());
    const head = Number(answer.headers.get('inference-header-content-length'));
    expect(answer.headers.get('content-type')).to.equal('application/octet-stream');
    expect(JSON.parse(bytes.subarray(0, head).toString()).outputs).to.deep.equal([
      { name: 'y', datatype: 'FP32', shape: [2], parameters: { binary_data_size: 8 } },
    ]);
    expect(bytes.subarray(head)).to.deep.equal(sent);
    await client.remove('binary-away', { cluster_id, namespace });
  });
});
