import { expect } from 'chai';
import { calls, isCallName, parseAnswer, toRequest } from '../../src/contracts/calls.ts';
import { asynchronous } from '../local/receiver.ts';

const deployment = {
  cluster_id: 'c1',
  simulator_id: 's1',
  endpoint_name: 'e',
  model: 'file:///m.onnx',
  model_size: null,
  storage_size_gb: 1,
  target_ttft: null,
  target_e2e_latency: null,
  target_throughput_per_user: null,
  concurrency: 2,
  input_tokens: 0,
  output_tokens: 0,
  provider: 'disk',
  budaiscaler: { enabled: false, min_replicas: 2 },
  ...asynchronous('w1'),
};

describe('calls of other services', () => {
  it('sends a deployment to the path and with the fields of the contract', () => {
    const request = toRequest('cluster.deploy', deployment);
    expect(request).to.include({ app_id: 'budcluster', method: 'POST', path: 'deployment' });
    expect(request.body).to.deep.equal(deployment);
  });

  it('refuses a request with a field that the contract does not have', () => {
    expect(() => calls['cluster.deploy'].toRequest({ ...deployment, replicas: 2 })).to.throw('replicas');
  });

  it('refuses an asynchronous request without notification metadata', () => {
    const { notification_metadata: _, ...rest } = deployment;
    expect(() => calls['cluster.deploy'].toRequest(rest)).to.throw('notification_metadata');
  });

  it('adds workers over the same path, and names the namespace', () => {
    const request = toRequest('cluster.add-worker', { ...deployment, existing_deployment_namespace: 'bud-x' });
    expect(request.path).to.equal('deployment');
    expect(request.body).to.have.property('existing_deployment_namespace', 'bud-x');
  });

  it('registers a cluster as a form with JSON text and a file', () => {
    const create = {
      enable_master_node: false,
      name: 'local',
      ingress_url: '',
      cluster_type: 'ON_PREM' as const,
      ...asynchronous('w1'),
    };
    const request = toRequest('cluster.register', { cluster_create_request: create, configuration: 'apiVersion: v1' });
    expect(request.body).to.equal(undefined);
    expect(JSON.parse(request.multipart?.cluster_create_request?.value ?? '')).to.deep.equal(create);
    expect(request.multipart?.configuration).to.deep.equal({ value: 'apiVersion: v1', file_name: 'kubeconfig.yaml' });
  });

  it('keeps an id from reaching another path', () => {
    expect(toRequest('cluster.get-worker', { worker_id: '../../cluster' }).path).to.equal(
      'deployment/worker-info/..%2F..%2Fcluster',
    );
    expect(() => toRequest('cluster.nodes', { cluster_id: '..' })).to.throw('dot segment');
  });

  it('puts reads into the query, and leaves out what was not asked for', () => {
    expect(toRequest('cluster.list-workers', { cluster_id: 'c', namespace: 'n', refresh: true }).query).to.deep.equal({
      cluster_id: 'c',
      namespace: 'n',
      refresh: 'true',
    });
  });

  it('passes unknown fields of an answer', () => {
    expect(parseAnswer('simulator.run', { workflow_id: 'w', later: 1 })).to.deep.equal({ workflow_id: 'w', later: 1 });
  });

  it('reads nodes at the top and under param alike', () => {
    const nodes = [{ name: 'n1' }];
    expect(parseAnswer('cluster.nodes', { nodes }).nodes).to.deep.equal(nodes);
    expect(parseAnswer('cluster.nodes', { param: { nodes } }).nodes).to.deep.equal(nodes);
  });

  it('reads one worker bare and wrapped alike', () => {
    const worker = { id: 'w', name: 'n' };
    expect(parseAnswer('cluster.get-worker', { worker })).to.deep.equal(worker);
    expect(parseAnswer('cluster.get-worker', worker)).to.deep.equal(worker);
  });

  it('refuses an answer that lacks what we build on', () => {
    expect(() => parseAnswer('simulator.run', { status: 'PENDING' })).to.throw('workflow_id');
  });

  it('knows its names, and not those that every object has', () => {
    expect(isCallName('cluster.deploy')).to.equal(true);
    expect(isCallName('constructor')).to.equal(false);
  });
});
