import { expect } from 'chai';
import { DeliveryAnswer, isResultType, Notification, parseResult } from '../../src/contracts/notification.ts';

const step = {
  specversion: '1.0',
  id: 'a',
  type: 'deploy_model',
  source_topic: 'budClusterMessages',
  notification_type: 'event',
  name: 'bud-internal',
  subscriber_ids: 'u',
  payload: {
    category: 'internal',
    type: 'deploy_model',
    event: 'verify_cluster_connection',
    workflow_id: 'w',
    source: 'budcluster',
    content: { title: 't', message: 'm', status: 'COMPLETED', result: null, primary_action: null },
  },
};
const result = {
  workflow_id: 'theirs',
  cluster_id: 'c',
  simulator_id: 's',
  namespace: 'bud-llama-endpoint-1a2b',
  result: { deployment_url: 'http://e', mean_ttft_ms: 41, mean_tpot_ms: 9.5 },
  performance_status: true,
  benchmark_status: true,
  number_of_nodes: 1,
  deploy_config: [{ name: 'A100', type: 'cuda', tp_size: 1, replicas: 2, engine_type: 'vllm' }],
  supported_endpoints: ['/v1/chat/completions'],
  deployment_status: {
    status: 'ready',
    ingress_health: true,
    supported_endpoints: [],
    replicas: { total: 2, available: 2, failed: 0, pending: 0, status: 'ready', reason: '' },
    worker_data_list: [{ name: 'w', status: 'Running', node_name: 'n1', device_name: 'A100', concurrency: 5 }],
  },
};

describe('messages of other services', () => {
  it('reads a step as it is delivered, fields at the top', () => {
    expect(Notification.parse(step)).to.deep.equal(step);
  });

  it('reads a body without a payload, which is not for us', () => {
    const parsed = Notification.parse({ object: 'workflow_metadata', workflow_id: 'theirs' });
    expect(parsed.payload).to.equal(undefined);
  });

  it('reads the result of a deployment', () => {
    expect(parseResult('deploy_model', result)).to.deep.equal(result);
  });

  it('takes a missing result, and one that cannot be read, for none', () => {
    expect(parseResult('deploy_model', null)).to.equal(null);
    expect(parseResult('deploy_model', { namespace: 7 })).to.equal(null);
  });

  it('reads a status update that belongs to no workflow', () => {
    const update = {
      deployment_name: 'bud-x',
      cluster_id: 'c',
      status: 'pending',
      replicas: { total: 2, available: 1 },
    };
    expect(parseResult('deployment-status-update', update)?.replicas?.available).to.equal(1);
  });

  it('tells the types whose results it knows from others', () => {
    expect(isResultType('register_cluster')).to.equal(true);
    expect(isResultType('toString')).to.equal(false);
  });

  it('accepts only the three answers that the sidecar honours', () => {
    expect(DeliveryAnswer.safeParse({ status: 'OK' }).success).to.equal(false);
  });
});
