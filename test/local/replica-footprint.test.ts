import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { deployModel } from '../../src/commands/endpoint/deploy-model.ts';
import { parseResult } from '../../src/contracts/notification.ts';
import type { Resources } from '../../src/events/values.ts';
import { openClusterState } from '../../src/local/cluster/cluster-state.ts';
import { createDeployments } from '../../src/local/cluster/deployments.ts';
import { ENGINES } from '../../src/local/engine/catalog.ts';
import { createLocalSimulator } from '../../src/local/simulator/local-simulator.ts';
import { fact } from '../commands/fixture.ts';
import { given } from '../commands/given.ts';
import { asynchronous, hasEnded, resultOf, silent, startReceiver } from './receiver.ts';

const MIB = 1024 * 1024;

/** What the domain gives a replica of an uploaded model, and later reserves. */
const reserved = (size_bytes: number): unknown => {
  const uploaded = fact('LocalModelUploaded');
  const model = [
    { ...uploaded, data: { ...uploaded.data, artefact: { ...uploaded.data.artefact, size_bytes } } },
    fact('ModelMetadataRecorded'),
  ];
  const { project_id, model_id } = fact('EndpointRequested').data;
  const [requested] = given()
    .knowing({ model, project: [fact('ProjectCreated')] })
    .when(deployModel, { project_id, model_id, name: 'chat' })
    .facts();
  return requested?.type === 'EndpointRequested' ? requested.data.resources_per_replica : undefined;
};

describe('the footprint of a replica', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'footprint-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  /** A file of this size that starts like an ONNX model; it takes no room on the disk. */
  const modelOf = async (size_bytes: number): Promise<string> => {
    const file = join(dir, 'model.onnx');
    await writeFile(file, Buffer.from([0x08]));
    await truncate(file, size_bytes);
    return file;
  };

  const simulated = async (pretrained_model_uri: string): Promise<unknown> => {
    const receiver = await startReceiver();
    const capacity = { cpu_millis: 4_000, memory_mib: 64_000 };
    const simulator = await createLocalSimulator({
      clusters: async () => [{ cluster_id: 'c', name: 'c', nodes: [{ name: 'n', status: 'Ready', capacity }] }],
      engines: ENGINES,
      data_dir: join(dir, 'simulator'),
      callback: receiver.callback,
      log: silent,
    });
    try {
      await fetch(`${simulator.url}/simulator/run`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          ...{ pretrained_model_uri, input_tokens: 0, output_tokens: 0, concurrency: 1, hardware_mode: 'dedicated' },
          ...{ target_ttft: null, target_throughput_per_user: null, target_e2e_latency: null },
          ...{ is_proprietary_model: false, model_endpoints: null },
          ...asynchronous('w1'),
        }),
      });
      await receiver.until(hasEnded('w1'));
      const result = parseResult('get_cluster_recommendations', resultOf(receiver.received, 'w1')?.result);
      return result?.recommendations[0]?.per_replica;
    } finally {
      await simulator.close();
      await receiver.close();
    }
  };

  /** What the cluster counts two running replicas with. */
  const counted = async (model_file: string, size_bytes: number): Promise<Resources | undefined> => {
    const state = await openClusterState(join(dir, 'cluster'));
    const deployments = createDeployments({
      ...{ state, engines: ENGINES, dir: join(dir, 'deployments'), onStatus: () => undefined },
    });
    const named = { namespace: 'bud-chat', cluster_id: 'c', simulator_id: 's', model_name: 'chat', made_by: 'w1' };
    await deployments.add({
      ...named,
      model_file,
      model_bytes: 0,
      engine: 'onnxruntime',
      serving: false,
      workers: [],
      next_number: 0,
    });
    await deployments.setSize('bud-chat', size_bytes);
    try {
      await deployments.addWorkers('bud-chat', { count: 2, made_by: 'w1' });
      return deployments.taken('c').own['bud-chat']?.resources;
    } finally {
      await deployments.remove('bud-chat');
    }
  };

  for (const mebibytes of [1, 100, 1_500]) {
    it(`is the same to the reservation, the simulator and the cluster for a model of ${mebibytes} MiB`, async () => {
      const size = mebibytes * MIB;
      const file = await modelOf(size);
      const each = { cpu_millis: 250, memory_mib: 192 + 3 * mebibytes };
      expect(reserved(size)).to.deep.equal(each);
      expect(await simulated(file)).to.deep.equal(each);
      expect(await counted(file, size)).to.deep.equal({ cpu_millis: 500, memory_mib: 2 * each.memory_mib });
    });
  }
});
