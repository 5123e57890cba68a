import { expect } from 'chai';
import { toClusterNodes } from '../../src/commands/cluster/cluster-report.ts';
import { capacityOf } from '../../src/events/capacity.ts';
import type { ClusterNode } from '../../src/events/values.ts';

/** What else an append about nodes has: texts of people and services, ids. */
const OTHERS_BYTES = 16 * 1024;
const APPEND_BYTES = 1024 * 1024;

const reported = (count: number, devices: number, { name = 'worker', status = 'Ready' } = {}) =>
  Array.from({ length: count }, (_, index) => ({
    name: `${name}-${index}.eu-central-1.compute.internal`,
    status: index % 10 === 9 ? 'NotReady' : status,
    capacity: { cpu_millis: 64_000, memory_mib: 512_000 },
    devices: Array.from({ length: devices }, (_, at) => ({
      type: 'cuda',
      name: `NVIDIA H100 80GB HBM3 ${at}`,
      available_count: 1,
    })),
  }));

const capacity = (nodes: readonly ClusterNode[]) => capacityOf({ nodes, reservations: {} }).total;

describe('the nodes of a very large cluster', () => {
  const fits = (nodes: readonly ClusterNode[]) =>
    expect(Buffer.byteLength(JSON.stringify(nodes))).to.be.below(APPEND_BYTES - OTHERS_BYTES);

  it('are kept as they are, up to a thousand with eight devices each', () => {
    const nodes = toClusterNodes(reported(1000, 8));
    fits(nodes);
    expect(nodes).to.have.length(1000);
    expect(nodes.every(({ devices }) => devices.length === 8)).to.equal(true);
  });

  it('lose their devices first, from the last one on', () => {
    const nodes = toClusterNodes(reported(5000, 4));
    fits(nodes);
    expect(nodes).to.have.length(5000);
    expect([nodes[0]?.devices.length, nodes.at(-1)?.devices.length]).to.deep.equal([4, 0]);
  });

  it('are joined where even that is too much, with the same capacity', () => {
    const given = reported(20_000, 4, { name: 'x'.repeat(200) });
    const nodes = toClusterNodes(given);
    fits(nodes);
    const each = { cpu_millis: 64_000, memory_mib: 512_000 };
    expect(capacity(nodes)).to.deep.equal({
      cpu_millis: 18_000 * each.cpu_millis,
      memory_mib: 18_000 * each.memory_mib,
    });
    const [ready, notReady] = nodes.slice(-2);
    expect(ready?.name).to.match(/^\d+ more nodes, Ready$/);
    expect(notReady).to.include({ status: 'NotReady' });
    expect(ready?.devices).to.have.length(4);
  });

  it('fit whatever a service calls them', () => {
    fits(toClusterNodes(reported(3, 1, { name: '\u0001'.repeat(400_000), status: '\u0001'.repeat(100_000) })));
    fits(toClusterNodes([{ name: 'a', devices: Array(50_000).fill({ type: '\u0001'.repeat(100), name: null }) }]));
  });
});
