import { expect } from 'chai';
import { Rejected } from '../../src/errors.ts';
import type { ClusterId, EndpointId } from '../../src/events/ids.ts';
import { timesResources } from '../../src/events/resources.ts';
import { eventually } from '../eventually.ts';
import { type TestDatabase, testDatabase } from '../postgres.ts';
import { type ManyDeployments, openManyDeployments } from './many-deployments.ts';

const WANTED = 100;
const ROOM = 10;
const each = { cpu_millis: 300, memory_mib: 700 };
/** Some is left over, but not enough for one more. */
const capacity = { cpu_millis: ROOM * 300 + 299, memory_mib: ROOM * 1000 };

const FINAL = new Set(['running', 'failed', 'deleted']);

describe('100 deployments at once into room for 10', () => {
  let database: TestDatabase;
  let many: ManyDeployments;

  beforeEach(async () => {
    database = await testDatabase();
    many = await openManyDeployments({ connection_string: database.connection_string, capacity, runners: 2 });
  });
  afterEach(async () => {
    await many.close();
    await database.close();
  });

  const settled = (id: EndpointId) =>
    eventually(`the endpoint ${id} is in a final state`, async () => {
      const row = await many.shownEndpoint(id);
      return row && FINAL.has(row.status) && row.rollout.status !== 'running' && row;
    });
  /** The endpoint, or the code of the refusal. */
  const tryDeploy = async (name: string, more: { cluster_id?: ClusterId }) => {
    try {
      return await settled(await many.deploy(name, { each, ...more }));
    } catch (error) {
      if (error instanceof Rejected) return error.code;
      throw error;
    }
  };
  const countOf = async (sql: string): Promise<number> => {
    const { rows } = await many.system.pool.query<{ count: string }>(sql);
    return Number(rows[0]?.count);
  };

  it('runs exactly 10, refuses or fails 90 as cluster-full, and leaks nothing', async () => {
    const { cluster_id } = many;
    const outcomes = await Promise.all(
      // Half of them name the cluster, and may be refused at once.
      Array.from({ length: WANTED }, (_, n) => tryDeploy(`endpoint-${n}`, n % 2 === 0 ? { cluster_id } : {})),
    );
    const rows = outcomes.flatMap((outcome) => (typeof outcome === 'string' ? [] : [outcome]));
    const running = rows.filter(({ status }) => status === 'running');
    expect(running).to.have.length(ROOM);
    const codes = outcomes.flatMap((outcome) =>
      typeof outcome === 'string' ? [outcome] : outcome.status === 'failed' ? [outcome.reason?.code] : [],
    );
    expect(codes).to.deep.equal(Array.from({ length: WANTED - ROOM }, () => 'cluster-full'));

    const full = await many.shownCluster();
    expect(Object.keys(full?.reservations ?? {}).toSorted()).to.deep.equal(running.map(({ id }) => id).toSorted());
    expect(full?.capacity.reserved).to.deep.equal(timesResources(each, ROOM));
    expect(full?.capacity.free).to.deep.equal({ cpu_millis: 299, memory_mib: 3000 });
    // The placement shows what decided.
    expect(running[0]?.placement?.reasons.join()).to.match(/0\.3 cores and 700 MiB reserved of .* free/);

    await Promise.all(running.map(({ id }) => many.perform('DeleteEndpoint', { endpoint_id: id })));
    await eventually('all are deleted', async () => {
      const left = await Promise.all(running.map(({ id }) => many.shownEndpoint(id as EndpointId)));
      return left.every((row) => row?.status === 'deleted' && row.rollout.status === 'succeeded');
    });
    const empty = await many.shownCluster();
    expect(empty?.reservations).to.deep.equal({});
    expect(empty?.capacity).to.deep.include({ total: capacity, free: capacity });

    await eventually('no work is left', async () => {
      expect(await countOf('select count(*) from process_intents where done_at is null')).to.equal(0);
      expect(await countOf('select count(*) from process_timers')).to.equal(0);
      expect(await countOf('select count(*) from process_instances where parked_at is not null')).to.equal(0);
      return true;
    });
    // Every name is free again.
    for (const n of [0, 1, 98, 99]) expect(await tryDeploy(`endpoint-${n}`, {})).to.include({ status: 'running' });
  });
});
