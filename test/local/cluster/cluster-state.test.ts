import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { openClusterState } from '../../../src/local/cluster/cluster-state.ts';
import { createDeployments } from '../../../src/local/cluster/deployments.ts';
import { ENGINES } from '../../../src/local/engine/catalog.ts';

describe('the stored state of the local cluster', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cluster-state-'));
  });
  afterEach(() => rm(dir, { recursive: true }));

  it('is read where its deployments are from before their engine was kept', async () => {
    const deployment = {
      ...{
        namespace: 'bud-angle',
        cluster_id: 'c',
        simulator_id: 's',
        model_name: 'Angle',
        model_file: '/m/model.onnx',
      },
      ...{ made_by: 'w', serving: true, workers: [], next_number: 0 },
    };
    const stored = { version: 1, marker: 'm', port: 0, clusters: {}, deployments: { 'bud-angle': deployment } };
    await writeFile(join(dir, 'state.json'), JSON.stringify({ ...stored, workflows: {} }));
    const state = await openClusterState(dir);
    const deployments = createDeployments({ state, engines: ENGINES, dir, onStatus: () => undefined });
    expect(deployments.findEngine('bud-angle')?.name).to.equal('onnxruntime');
    expect(deployments.paths('bud-angle')).to.include('/v2/models/Angle/infer');
  });
});
