import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseResult } from '../../../src/contracts/notification.ts';
import { createLocalCluster } from '../../../src/local/cluster/local-cluster.ts';
import { createEngines } from '../../../src/local/engine/engines.ts';
import { onnxRuntime } from '../../../src/local/engine/onnx/onnx-runtime.ts';
import { createLocalModelService } from '../../../src/local/model/local-model-service.ts';
import type { LocalService } from '../../../src/local/service/loopback.ts';
import { createLocalSimulator } from '../../../src/local/simulator/local-simulator.ts';
import { readClusters } from '../../../src/local/simulator/read-clusters.ts';
import { toModelMetadata } from '../../../src/processes/model/model-metadata.ts';
import { createClient, type Inbox, isRunning, MODEL, openInbox, request } from '../cluster/cluster-client.ts';
import type { Json } from '../json.ts';
import { asynchronous, failureOf, hasEnded, type Receiver, resultOf, silent, startReceiver } from '../receiver.ts';
import { echo } from './echo/echo.ts';

const GREETING = 'you said:\nthat is all\n';

describe('a second engine is one folder: an artefact of its own', () => {
  let dir: string;
  let receiver: Receiver;
  let inbox: Inbox;
  let model: LocalService;
  let cluster: LocalService;
  let simulator: LocalService;
  let client: ReturnType<typeof createClient>;
  let cluster_id: string;

  const engines = createEngines([onnxRuntime, echo]);
  const options = (name: string) => ({ data_dir: join(dir, name), callback: receiver.callback, engines, log: silent });
  const startCluster = () => createLocalCluster({ ...options('cluster'), callback: inbox.callback });
  const textOf = async (content: string, name = 'hello.echo') => {
    const file = join(dir, name);
    await writeFile(file, content);
    return file;
  };
  const ask = async (service: LocalService, path: string, body: { workflow_id: string } & Record<string, unknown>) => {
    const { workflow_id, ...fields } = body;
    await request(service, 'POST', path, { ...fields, ...asynchronous(workflow_id) });
    await receiver.until(hasEnded(workflow_id));
    return resultOf(receiver.received, workflow_id)?.result;
  };
  const extract = async (workflow_id: string, model_uri: string) =>
    parseResult(
      'perform_model_extraction',
      await ask(model, 'model-info/extract', { workflow_id, model_name: 'm', provider_type: 'disk', model_uri }),
    );
  const simulate = async (workflow_id: string, model_uri: string) =>
    parseResult(
      'get_cluster_recommendations',
      await ask(simulator, 'simulator/run', {
        ...{ workflow_id, pretrained_model_uri: model_uri, model_uri, input_tokens: 0, output_tokens: 0 },
        ...{ concurrency: 1, hardware_mode: 'dedicated', is_proprietary_model: false, model_endpoints: null },
        ...{ target_ttft: null, target_throughput_per_user: null, target_e2e_latency: null },
      }),
    )?.recommendations;
  const say = (url: string, words: string) =>
    fetch(`${url}/say`, { method: 'POST', body: words }).then((answer) => answer.text());

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'second-engine-'));
    receiver = await startReceiver();
    inbox = await openInbox();
    cluster = await startCluster();
    model = await createLocalModelService(options('model'));
    const clusters = () => readClusters(cluster.url);
    simulator = await createLocalSimulator({ ...options('simulator'), clusters });
    client = createClient(() => cluster, inbox);
    cluster_id = (await client.register('register', 'kind: Config')).result.id;
  });
  after(async () => {
    for (const each of [simulator, model, cluster, receiver, inbox]) await each.close();
    await rm(dir, { recursive: true });
  });

  it('is read by the engine that takes it, with the facts of its own format', async () => {
    const result = await extract('read', await textOf(GREETING));
    const { author, description, architecture } = result?.model_info ?? {};
    expect({ author, description }).to.deep.equal({ author: 'nobody', description: GREETING.trim() });
    expect(architecture).to.include({ format: 'echo', lines: 3, file_size_bytes: GREETING.length });
    expect(toModelMetadata(result?.model_info ?? {})).to.deep.include({
      format: 'echo',
      replica_resources: { cpu_millis: 10, memory_mib: 32 },
    });
    expect((await extract('read-onnx', MODEL))?.model_info.architecture).to.include({ format: 'onnx' });
  });

  it('is refused in the words of its engine, or of all where none takes it', async () => {
    await extract('one-line', await textOf('no end'));
    expect(failureOf(receiver.received, 'one-line', 'model_extraction')).to.equal('an echo text is at least one line');
    await extract('neither', await textOf('hello\n', 'hello.txt'));
    expect(failureOf(receiver.received, 'neither', 'model_extraction')).to.equal(
      'the file is not an ONNX model or an echo text',
    );
    await simulate('neither-placed', join(dir, 'hello.txt'));
    expect(failureOf(receiver.received, 'neither-placed', 'validation')).to.equal(
      'the local cluster runs uploaded ONNX and Echo artefacts only',
    );
    await client.deploy('neither-deployed', { cluster_id, model: join(dir, 'hello.txt') });
    expect(inbox.failedStep('neither-deployed').event).to.equal('transfer_model_to_cluster');
  });

  it('is scanned by its engine', async () => {
    const model_path = await textOf('rm -rf\n', 'rude.echo');
    const result = parseResult(
      'perform_model_security_scan',
      await ask(model, 'model-info/scan', { workflow_id: 'scan', model_path }),
    );
    expect(result?.scan_result.model_issues).to.deep.equal([
      { severity: 'HIGH', title: 'Rude', description: 'it says rm -rf', source: 'rude.echo' },
    ]);
  });

  it('is reckoned with what its engine takes', async () => {
    const [placed] = (await simulate('placed', await textOf(GREETING))) ?? [];
    expect(placed).to.deep.include({ cluster_id, per_replica: { cpu_millis: 10, memory_mib: 32 } });
  });

  it('is deployed, probed, checked, called, brought back after a restart, and removed', async () => {
    const local_path = (await extract('deployable', await textOf(GREETING)))?.local_path ?? '';
    const { namespace, result, ...deployed }: Json = await client.deploy('deploy', {
      ...{ cluster_id, model: local_path, replicas: 2 },
    });
    expect(deployed.deploy_config[0]).to.include({ engine_type: 'echo', replicas: 2 });
    expect(deployed.supported_endpoints).to.deep.equal(['/say', '/hello']);
    expect(deployed.deployment_status).to.deep.include({ status: 'ready', supported_endpoints: ['/say', '/hello'] });
    expect(result.mean_latency_ms).to.be.greaterThan(0);
    expect(await readdir(join(dir, 'cluster', 'deployments', namespace))).to.deep.equal(['greeting.echo']);
    expect(await say(result.deployment_url, 'hi')).to.equal('you said: hi');

    const [killed] = await client.workersOf({ cluster_id, namespace });
    const back = client.statusOf(namespace, ({ status }) => status === 'ready');
    process.kill(killed.pid, 'SIGKILL');
    await back;
    await cluster.close();
    const again = client.statusOf(namespace, ({ status }) => status === 'ready');
    cluster = await startCluster();
    await again;
    expect(await say(result.deployment_url, 'hi again')).to.equal('you said: hi again');

    const workers = await client.workersOf({ cluster_id, namespace });
    await client.remove('remove', { cluster_id, namespace });
    expect(workers.map(({ pid }) => isRunning(pid))).to.deep.equal([false, false]);
    expect(await readdir(join(dir, 'cluster', 'deployments'))).to.deep.equal([]);
  });

  it('is reached at the paths of its own engine only', async () => {
    const texts: Json = await client.deploy('deploy-text', { cluster_id, model: await textOf(GREETING) });
    const tensors: Json = await client.deploy('deploy-tensors', { cluster_id });
    const statusAt = async (deployed: Json, path: string) =>
      (await fetch(`${deployed.result.deployment_url}${path}`)).status;
    expect(await statusAt(texts, '/hello')).to.equal(200);
    expect(await statusAt(tensors, '/v2/health/ready')).to.equal(200);
    for (const path of ['/v2/health/ready', '/v2', '/secret', '/hello/%2e%2e/secret', '/']) {
      expect(await statusAt(texts, path), path).to.equal(404);
    }
    for (const path of ['/hello', '/v2/%2e%2e/hello', '/v22']) {
      expect(await statusAt(tensors, path), path).to.equal(404);
    }
  });
});
