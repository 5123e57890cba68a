import { expect } from 'chai';
import { pino } from 'pino';
import { createMemoryLog } from '../../../src/adapters/memory-log.ts';
import { createProofs } from '../../../src/adapters/postgres/proofs.ts';
import { createVault } from '../../../src/adapters/postgres/vault.ts';
import { createCommandHandler } from '../../../src/commands/engine/handle.ts';
import { ClusterId, EndpointId } from '../../../src/events/ids.ts';
import { ServiceFailure } from '../../../src/ports/service-invoker.ts';
import { createStatusWatch } from '../../../src/processes/watch/status-watch.ts';
import { clusters } from '../../../src/projections/clusters.ts';
import { endpoints } from '../../../src/projections/endpoints.ts';
import { createProjectionRunner, type ProjectionRunner } from '../../../src/projections/engine/runner.ts';
import { createReadModels, type ReadModels } from '../../../src/projections/queries/read.ts';
import { createReadPool, type ReadPool } from '../../../src/projections/queries/read-pool.ts';
import { fact } from '../../commands/fixture.ts';
import { eventually } from '../../eventually.ts';
import { openPool } from '../../pool.ts';
import { type TestDatabase, testDatabase } from '../../postgres.ts';
import { startCluster, startEndpoint, TENANT } from '../../projections/facts.ts';

const logger = pino({ level: 'silent' });
const clock = () => new Date().toISOString();
const node = { name: 'n1', status: 'Ready', devices: [] };
const workers = ['w-1', 'w-2'].map((name) => ({ id: name, name, status: 'Running', deployment_status: 'ready' }));

describe('the status watch', () => {
  let database: TestDatabase;
  let opened: ReturnType<typeof openPool>;
  let readPool: ReadPool;
  let readModels: ReadModels;
  let runner: ProjectionRunner;
  let log: ReturnType<typeof createMemoryLog>;
  let ids: { cluster: string; endpoint: string };
  let watches: { close(): Promise<void> }[];
  /** What the service does, and how often it was asked about workers. */
  let service: { answers: boolean; asked: number };

  beforeEach(async () => {
    database = await testDatabase();
    opened = openPool(database.connection_string, 6);
    readPool = await createReadPool(database.connection_string);
    readModels = createReadModels({ pool: readPool });
    log = createMemoryLog();
    runner = createProjectionRunner({ log, pool: opened.pool, owner: 'one', logger });
    service = { answers: true, asked: 0 };
    watches = [];
    const [cluster, endpoint] = [await startCluster(log), await startEndpoint(log)];
    const cluster_id = ClusterId.parse(cluster.id);
    const endpoint_id = EndpointId.parse(endpoint.id);
    await cluster.append(fact('ClusterRegistered', { cluster_id, bud_cluster_id: 'bud-1', nodes: [] }));
    await endpoint.append(
      fact('EndpointPlaced', { endpoint_id, cluster_id, bud_cluster_id: 'bud-1' }),
      fact('EndpointDeployed', { endpoint_id, namespace: 'bud-a' }),
    );
    ids = { cluster: cluster.id, endpoint: endpoint.id };
  });
  afterEach(async () => {
    await Promise.all(watches.map((watch) => watch.close()));
    await runner.close();
    await log.close();
    await readPool.end();
    await opened.close();
    await database.close();
  });

  const invoke = async ({ path }: { path: string }): Promise<unknown> => {
    if (!service.answers) throw new ServiceFailure('it does not answer', { retryable: true, status: null });
    if (path.endsWith('/health')) return { status: 'available' };
    if (path.endsWith('/nodes')) return { nodes: [node] };
    service.asked += 1;
    return { workers };
  };
  const start = (owner: string) => {
    const { pool } = opened;
    const vault = createVault({ pool, master_key: Buffer.alloc(32, 7) });
    const watch = createStatusWatch({
      ...{ pool, readModels, clock, logger, owner },
      invoker: { invoke },
      proofs: createProofs({ pool }),
      handle: createCommandHandler({ log, vault, clock, findLiveEndpoints: async () => [] }),
      ...{ interval_ms: 20, silence_ms: 200 },
    });
    watches.push(watch);
    return watch;
  };
  const find = async () => ({
    cluster: await readModels.find(clusters, { tenant_id: TENANT, id: ids.cluster }),
    endpoint: await readModels.find(endpoints, { tenant_id: TENANT, id: ids.endpoint }),
  });
  const until = (cluster: string, endpoint: string) =>
    eventually(`the cluster is ${cluster}, the endpoint ${endpoint}`, async () => {
      const found = await find();
      expect([found.cluster?.status, found.endpoint?.status]).to.deep.equal([cluster, endpoint]);
      return found;
    });
  const untilAsked = (times: number) => eventually('it has asked so often', () => service.asked >= times);

  it('asks again and again, and leaves no trace in the log where nothing is new', async () => {
    start('one');
    await until('available', 'running');
    await eventually('the nodes are known', async () => (await find()).cluster?.nodes.length === 1);
    await untilAsked(service.asked + 3);
    const head = await log.head();
    await untilAsked(service.asked + 10);
    expect(await log.head()).to.equal(head);
  });

  it('finds out what is silent, over a change of process, and what speaks again', async () => {
    const first = start('one');
    await untilAsked(2);
    service.answers = false;
    const { endpoint } = await until('unavailable', 'unknown');
    expect(endpoint?.observed?.last_proof_at).to.be.a('string');
    await first.close();
    start('two');
    service.answers = true;
    const { cluster } = await until('available', 'running');
    expect(cluster?.nodes).to.have.length(1);
  });

  it('is done by one process at a time', async () => {
    start('one');
    await untilAsked(2);
    start('two');
    await untilAsked(service.asked + 5);
    const { rows } = await opened.pool.query("select owner from leases where name = 'status-watch'");
    expect(rows).to.deep.equal([{ owner: 'one' }]);
  });
});
