import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { pino } from 'pino';
import { createLocalCluster } from '../../../src/local/cluster/local-cluster.ts';
import { ENGINES } from '../../../src/local/engine/catalog.ts';
import { ServeMetrics } from '../../../src/local/metrics/serve-metrics.ts';
import type { LocalService } from '../../../src/local/service/loopback.ts';
import type { Json } from '../json.ts';
import {
  asked,
  createClient,
  type DeployOptions,
  deployRequest,
  type Inbox,
  isRunning,
  MODEL,
  openInbox,
  request,
} from './cluster-client.ts';

const log = pino({ level: 'silent' });

describe('the local cluster', () => {
  let dir: string;
  let inbox: Inbox;
  let cluster: LocalService;

  const start = () =>
    createLocalCluster({ data_dir: join(dir, 'cluster'), callback: inbox.callback, engines: ENGINES, log });
  const zeros = { name: 'x', datatype: 'FP32', shape: [1, 3, 32, 32], data: new Array(3 * 32 * 32).fill(0) };

  let cluster_id: string;
  let client: ReturnType<typeof createClient>;
  const workersOf = (namespace: string) => client.workersOf({ cluster_id, namespace });
  const remove = (workflowId: string, namespace: string) => client.remove(workflowId, { cluster_id, namespace });
  const deploy = (workflowId: string, options: Partial<DeployOptions> = {}) =>
    client.deploy(workflowId, { cluster_id, ...options });

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cluster-'));
    inbox = await openInbox();
    cluster = await start();
    client = createClient(() => cluster, inbox);
    cluster_id = (await client.register('register-main', 'kind: Config')).result.id;
  });
  afterEach('every result is as the contract describes it', () => {
    expect(inbox.breaches()).to.deep.equal([]);
  });
  after(async () => {
    await cluster.close();
    await inbox.close();
    await rm(dir, { recursive: true });
  });

  it('registers this machine with the facts that the machine itself tells', async () => {
    const { answer, result } = await client.register('register-other', 'kind: Other');
    expect(answer).to.include({ object: 'workflow_metadata', workflow_name: 'register_cluster', status: 'PENDING' });
    const steps = answer.steps.map(({ id }: { id: string }) => id);
    expect(inbox.events('register-other')).to.deep.equal([
      [steps[0], 'STARTED'],
      ['eta', 'RUNNING'],
      [steps[0], 'COMPLETED'],
      ...steps.slice(1).flatMap((step: string) => [
        [step, 'STARTED'],
        [step, 'COMPLETED'],
      ]),
      ['results', 'COMPLETED'],
    ]);
    const [node] = result.nodes;
    expect(node).to.include({ name: 'local', status: 'Ready' });
    expect(node.devices[0].available_count).to.be.greaterThan(0);
    expect(node.free.memory_mib).to.be.within(1, node.capacity.memory_mib);
    const { items } = (await request(cluster, 'GET', 'clusters')).body;
    expect(items).to.deep.include({ id: result.id, name: 'register-other' });
  });

  it('refuses the same configuration twice, and an empty one', async () => {
    await client.register('register-first', 'kind: Twin');
    await client.register('register-twin', 'kind: Twin');
    expect(inbox.failedStep('register-twin')).to.deep.include({ event: 'check_duplicate_config' });
    await client.register('register-empty', '  \n');
    expect(inbox.failedStep('register-empty')).to.deep.include({ event: 'verify_cluster_connection' });
  });

  it('deploys two replicas that answer through one URL, and leaves nothing after the deletion', async () => {
    const result = await deploy('two-replicas', { replicas: 2 });
    expect(result.deployment_status).to.deep.include({ status: 'ready', ingress_health: true });
    expect(result.deployment_status.replicas).to.deep.include({ total: 2, available: 2, failed: 0, pending: 0 });
    expect(result.deploy_config[0]).to.include({ replicas: 2, engine_type: 'onnxruntime' });
    expect(result.result.mean_latency_ms).to.be.greaterThan(0);

    const { deployment_url } = result.result;
    const answer = await fetch(`${deployment_url}/v2/models/Angle/infer`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ inputs: [zeros] }),
    });
    expect(answer.status).to.equal(200);
    const [output] = ((await answer.json()) as Json).outputs;
    expect(output.data[0] + output.data[1]).to.be.closeTo(1, 1e-5);
    const { body: seen } = await request(cluster, 'GET', `serve-metrics?namespace=${result.namespace}`);
    expect(ServeMetrics.parse(seen).minutes.at(-1)?.requests).to.be.greaterThan(0);

    const pids = (await workersOf(result.namespace)).map(({ pid }) => pid);
    expect(pids.map(isRunning)).to.deep.equal([true, true]);
    await remove('two-replicas-away', result.namespace);
    expect(pids.map(isRunning)).to.deep.equal([false, false]);
    expect(await readdir(join(dir, 'cluster', 'deployments'))).to.not.include(result.namespace);
    expect((await fetch(`${deployment_url}/v2`)).status).to.equal(404);
    expect((await remove('two-replicas-again', result.namespace)).content.status).to.equal('COMPLETED');
  });

  it('spreads requests over the replicas, and over those that are left when one is killed', async () => {
    const { namespace, result } = await deploy('spread', { replicas: 2 });
    const [first, second] = await workersOf(namespace);
    const degraded = client.statusOf(
      namespace,
      ({ replicas }) => replicas.available === 1 && /was ended/.test(replicas.reason),
    );
    const recovered = degraded.then(() => client.statusOf(namespace, ({ status }) => status === 'ready'));
    process.kill(first.pid, 'SIGKILL');
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => fetch(`${result.deployment_url}/v2/health/ready`).then(({ status }) => status)),
    );
    expect(new Set(answers)).to.deep.equal(new Set([200]));

    const { status, replicas } = await degraded;
    expect(status).to.equal('pending');
    expect(replicas.reason).to.match(/1 of 2 replicas are ready: .*was ended by SIGKILL/);
    expect((await recovered).replicas.available).to.equal(2);
    const [restarted, untouched] = await workersOf(namespace);
    expect(restarted.id).to.equal(first.id);
    expect(restarted.pid).to.not.equal(first.pid);
    expect(untouched.pid).to.equal(second.pid);
    const { logs } = (await request(cluster, 'GET', `deployment/worker-info/${first.id}/logs`)).body;
    expect(logs.join('\n')).to.match(/was ended by SIGKILL; failure 1 in a row/);
    await remove('spread-away', namespace);
  });

  it('answers 503 with a reason while no replica is there', async () => {
    const { namespace, result } = await deploy('lonely');
    const down = client.statusOf(namespace, ({ replicas }) => replicas.available === 0);
    process.kill((await workersOf(namespace))[0].pid, 'SIGKILL');
    await down;
    const answer = await fetch(`${result.deployment_url}/v2/health/ready`);
    expect(answer.status).to.equal(503);
    expect(await answer.json()).to.deep.equal({ error: `no replica of ${namespace} is ready` });
    await remove('lonely-away', namespace);
  });

  it('reports failed with the reason when a replica keeps crashing', async () => {
    const { namespace } = await deploy('crashing');
    const failed = client.statusOf(namespace, ({ status }) => status === 'failed');
    await rm(join(dir, 'cluster', 'deployments', namespace, 'model.onnx'));
    process.kill((await workersOf(namespace))[0].pid, 'SIGKILL');
    const { replicas, worker_data_list } = await failed;
    expect(replicas.failed).to.equal(1);
    expect(replicas.reason).to.match(/could not load the model/);
    expect(worker_data_list[0].status).to.equal('CrashLoopBackOff');
    await remove('crashing-away', namespace);
  });

  it('fails a truncated model with the reason and leaves nothing', async () => {
    const cut = join(dir, 'cut.onnx');
    await writeFile(cut, (await readFile(MODEL)).subarray(0, 100_000));
    await deploy('truncated', { model: cut, replicas: 2 });
    const failed = inbox.failedStep('truncated');
    expect(failed.event).to.equal('deploy_to_engine');
    expect(failed.content.message).to.match(/could not load the model: .*cut short or damaged/);
    expect((await inbox.ended('truncated')).content).to.deep.include({ status: 'FAILED', result: null });
    expect(await readdir(join(dir, 'cluster', 'deployments'))).to.deep.equal([]);
  });

  const refusals: [string, Partial<DeployOptions>, string, RegExp][] = [
    ['a missing artefact', { model: 'file:///nowhere/model.onnx' }, 'transfer_model_to_cluster', /ENOENT/],
    [
      'a model that is no artefact',
      { model: 'openai/gpt-4' },
      'transfer_model_to_cluster',
      /uploaded ONNX artefacts only/,
    ],
    ['an unknown cluster', { cluster_id: 'unknown' }, 'verify_cluster_connection', /no cluster unknown/],
    ['more replicas than there may be', { replicas: 65 }, 'deploy_to_engine', /at most 64 replicas/],
  ];
  for (const [index, [what, options, step, message]] of refusals.entries()) {
    it(`fails ${what} in ${step}`, async () => {
      await deploy(`refused-${index}`, options);
      const failed = inbox.failedStep(`refused-${index}`);
      expect(failed.event).to.equal(step);
      expect(failed.content.message).to.match(message);
      expect(await readdir(join(dir, 'cluster', 'deployments'))).to.deep.equal([]);
    });
  }

  it('adds and deletes replicas of a deployment', async () => {
    const { namespace } = await deploy('scaled');
    const more = {
      ...deployRequest('scaled-up', { cluster_id }),
      existing_deployment_namespace: namespace,
      concurrency: 2,
    };
    await request(cluster, 'POST', 'deployment', more);
    const up = await inbox.ended('scaled-up');
    expect(up.type).to.equal('add_worker');
    expect((up.content.result as Json).deployment_status.replicas).to.include({ total: 3, available: 3 });
    expect((await workersOf(namespace)).map(({ name }) => name)).to.deep.equal(
      [0, 1, 2].map((n) => `${namespace}-${n}`),
    );

    const [, victim] = await workersOf(namespace);
    await request(cluster, 'DELETE', 'deployment/worker-info', { worker_id: victim.id, ...asked('scaled-down') });
    const down = await inbox.ended('scaled-down');
    expect((down.content.result as Json).worker_data_list).to.have.lengthOf(2);
    expect(isRunning(victim.pid)).to.equal(false);
    await remove('scaled-away', namespace);
  });

  it('keeps a deployment without replicas at its URL, says there that it is stopped, and starts it again', async () => {
    const { namespace, result } = await deploy('sleeper');
    const url = `${result.deployment_url}/v2/health/ready`;
    const [worker] = await workersOf(namespace);
    await request(cluster, 'DELETE', 'deployment/worker-info', { worker_id: worker.id, ...asked('sleep') });
    await inbox.ended('sleep');
    expect(await workersOf(namespace)).to.deep.equal([]);
    const answer = await fetch(url);
    expect(answer.status).to.equal(503);
    expect(((await answer.json()) as Json).error).to.contain('is stopped');

    const again = deployRequest('wake', { cluster_id });
    await request(cluster, 'POST', 'deployment', {
      ...again,
      existing_deployment_namespace: namespace,
      concurrency: 1,
    });
    const { content } = await inbox.ended('wake');
    expect((content.result as Json).result.deployment_url).to.equal(result.deployment_url);
    expect((await fetch(url)).status).to.equal(200);
    await remove('sleeper-away', namespace);
  });

  it('does a repeated request only once, also at the same moment, and says the result again', async () => {
    const body = deployRequest('repeated', { cluster_id });
    const answers = await Promise.all([1, 2, 3].map(() => request(cluster, 'POST', 'deployment', body)));
    expect(new Set(answers.map((answer) => answer.body.workflow_id)).size).to.equal(1);
    const { namespace } = (await inbox.ended('repeated')).content.result as Json;
    const again = inbox.next(({ workflow_id, event }) => workflow_id === 'repeated' && event === 'results');
    await request(cluster, 'POST', 'deployment', body);
    expect(((await again).content.result as Json).namespace).to.equal(namespace);
    expect(await workersOf(namespace)).to.have.lengthOf(1);
    await remove('repeated-away', namespace);
  });

  it('cancels a deployment in flight and cleans up; one that is done already goes as well', async () => {
    const { body } = await request(
      cluster,
      'POST',
      'deployment',
      deployRequest('cancelled', { cluster_id, replicas: 2 }),
    );
    expect((await request(cluster, 'POST', `deployment/cancel/${body.workflow_id}`)).status).to.equal(200);
    expect(await readdir(join(dir, 'cluster', 'deployments'))).to.deep.equal([]);

    const done = await deploy('cancelled-late');
    const [worker] = await workersOf(done.namespace);
    expect((await request(cluster, 'POST', `deployment/cancel/${done.workflow_id}`)).status).to.equal(200);
    expect(isRunning(worker.pid)).to.equal(false);
    expect((await request(cluster, 'POST', 'deployment/cancel/unknown')).status).to.equal(404);
  });

  it('keeps the order of messages while the receiver asks for them again', async () => {
    inbox.refuseNext(3);
    await deploy('refusing', { model: '/nowhere' });
    const steps = ['verify_cluster_connection', 'eta', 'verify_cluster_connection', 'transfer_model_to_cluster'];
    expect(inbox.events('refusing').map(([event]) => event)).to.deep.equal([...steps, steps[3], 'results']);
  });

  it('brings deployments back at the same URL after a restart of the service', async () => {
    const { namespace, result } = await deploy('restarted', { replicas: 2 });
    const before = (await workersOf(namespace)).map(({ pid }) => pid);
    await cluster.close();
    expect(before.map(isRunning)).to.deep.equal([false, false]);
    const ready = client.statusOf(namespace, ({ status }) => status === 'ready');
    cluster = await start();
    expect((await ready).replicas.available).to.equal(2);
    expect((await fetch(`${result.deployment_url}/v2/models/Angle`)).status).to.equal(200);
    await remove('restarted-away', namespace);
  });

  it('carries on a workflow that a stop of the service interrupted', async () => {
    await request(cluster, 'POST', 'deployment', deployRequest('interrupted', { cluster_id, replicas: 2 }));
    await cluster.close();
    expect(inbox.events('interrupted').map(([event]) => event)).to.not.include('results');
    cluster = await start();
    const { namespace, deployment_status } = (await inbox.ended('interrupted')).content.result as Json;
    expect(deployment_status.replicas).to.include({ total: 2, available: 2 });
    expect(await workersOf(namespace)).to.have.lengthOf(2);
    await remove('interrupted-away', namespace);
  });

  it('answers what it cannot do with 501, and nonsense with a reason', async () => {
    for (const [method, path] of [
      ['PUT', 'deployment/autoscale'],
      ['POST', 'benchmark/run'],
      ['POST', 'deployment/deploy-adapter'],
    ] as const) {
      const { status, body } = await request(cluster, method, path, {});
      expect(status, path).to.equal(501);
      expect(body.error).to.match(/does not offer/);
    }
    const { status, body } = await request(cluster, 'POST', 'deployment', { cluster_id });
    expect(status).to.equal(422);
    expect(body.error).to.match(/endpoint_name/);
    expect((await request(cluster, 'GET', 'cluster/unknown/nodes')).status).to.equal(404);
    expect((await request(cluster, 'PATCH', 'cluster/__proto__', { ingress_url: 'x' })).status).to.equal(404);
    await remove('path-trick', '../../..');
    expect(await readdir(dir)).to.include('cluster');
  });

  it('edits a cluster, tells how its nodes are, and forgets it with all that runs on it', async () => {
    const { id } = (await client.register('register-short', 'kind: Short')).result;
    expect((await request(cluster, 'PATCH', `cluster/${id}`, { ingress_url: 'http://x' })).status).to.equal(200);
    const told = inbox.next(
      ({ type, content }) => type === 'cluster-status-update' && (content.result as Json).cluster_id === id,
    );
    await request(cluster, 'POST', 'cluster/update-node-status', { cluster_id: id });
    expect(((await told).content.result as Json).node_info.nodes).to.have.lengthOf(1);
    // The main cluster is the same machine: it is told what the other one takes, and gets it back.
    const cpuOfMain = () =>
      inbox
        .next(
          ({ type, content }) => type === 'cluster-status-update' && (content.result as Json).cluster_id === cluster_id,
        )
        .then(({ content }) => (content.result as Json).node_info.nodes[0].capacity.cpu_millis);
    const less = cpuOfMain();
    const { namespace } = await deploy('on-short', { cluster_id: id });
    const taken = await less;
    const again = cpuOfMain();
    await request(cluster, 'POST', 'cluster/delete', {
      cluster_id: id,
      cluster_type: 'ON_PREM',
      ...asked('short-away'),
    });
    expect(taken).to.equal((await again) - 250);
    expect((await inbox.ended('short-away')).type).to.equal('delete_cluster');
    expect((await request(cluster, 'GET', `cluster/${id}/health`)).status).to.equal(404);
    expect(await readdir(join(dir, 'cluster', 'deployments'))).to.not.include(namespace);
  });
});
