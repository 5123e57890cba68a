import { expect } from 'chai';
import { Rejected } from '../../src/errors.ts';
import type { EndpointId } from '../../src/events/ids.ts';
import { timesResources } from '../../src/events/resources.ts';
import { eventually } from '../eventually.ts';
import { type TestDatabase, testDatabase } from '../postgres.ts';
import { type ManyDeployments, openManyDeployments } from './many-deployments.ts';

const each = { cpu_millis: 500, memory_mib: 100 };

describe('an endpoint with 0 replicas', () => {
  let database: TestDatabase;
  let system: ManyDeployments;

  before(async () => {
    database = await testDatabase();
    const capacity = timesResources(each, 4);
    system = await openManyDeployments({ connection_string: database.connection_string, capacity });
  });
  after(async () => {
    await system.close();
    await database.close();
  });

  const becomes = (id: EndpointId, wanted: string) =>
    eventually(`the endpoint is ${wanted}`, async () => {
      const row = await system.shownEndpoint(id);
      return row?.status === wanted && row.rollout.status !== 'running' && row;
    });
  const scale = (endpoint_id: EndpointId, replicas: number) =>
    system.perform('ScaleEndpoint', { endpoint_id, replicas });
  const refusalOf = (work: Promise<unknown>) =>
    work.then(
      () => null,
      (error) => (error instanceof Rejected ? error.code : Promise.reject(error)),
    );
  const reservedBy = async (id: EndpointId) => (await system.shownCluster())?.reservations[id];

  it('is stopped, keeps all but its capacity, and starts again where there is room', async () => {
    const id = await system.deploy('sleeper', { each, replicas: 2 });
    const { url, namespace } = await becomes(id, 'running');

    await scale(id, 0);
    const stopped = await becomes(id, 'stopped');
    expect(stopped).to.deep.include({ name: 'sleeper', url, namespace, deadline: null });
    expect(stopped.desired).to.deep.include({ replicas: 0, resources_per_replica: each });
    expect(stopped.observed?.replicas).to.deep.equal({ total: 0, available: 0, failed: 0, pending: 0 });
    expect(stopped.reason?.code).to.equal('stopped');
    expect(await reservedBy(id)).to.deep.equal({ replicas: 0, resources: timesResources(each, 0) });
    expect(await refusalOf(scale(id, 0))).to.equal(null);
    expect(await refusalOf(system.deploy('sleeper', { each }))).to.equal('endpoint-name-taken');
    expect(await refusalOf(system.perform('DeleteCluster', { cluster_id: system.cluster_id }))).to.equal(
      'cluster-in-use',
    );

    const other = await system.deploy('other', { each, replicas: 2 });
    // Room for two is left.
    await becomes(other, 'running');
    expect(await refusalOf(scale(id, 3))).to.equal('cluster-full');
    expect(await becomes(id, 'stopped')).to.deep.include({ revision: stopped.revision });

    await scale(id, 1);
    const started = await becomes(id, 'running');
    expect(started).to.deep.include({ url, namespace, reason: null });
    expect(started.observed?.replicas.available).to.equal(1);
    expect(await reservedBy(id)).to.deep.equal({ replicas: 1, resources: each });
  });

  it('can be deleted while it is stopped', async () => {
    const id = await system.deploy('goner', { each });
    await becomes(id, 'running');
    await scale(id, 0);
    await becomes(id, 'stopped');
    await system.perform('DeleteEndpoint', { endpoint_id: id });
    await becomes(id, 'deleted');
    expect(await reservedBy(id)).to.equal(undefined);
  });
});
