import { expect } from 'chai';
import { createMemoryLog } from '../../../src/adapters/memory-log.ts';
import { cluster } from '../../../src/commands/cluster/cluster-state.ts';
import { createLoader, earlierOf } from '../../../src/commands/engine/load.ts';
import { definitionOf, type Fact, streamOf } from '../../../src/events/catalog.ts';
import { CommandId, EndpointId, eventIdOf, newId, TenantId } from '../../../src/events/ids.ts';
import type { Log } from '../../../src/ports/log.ts';
import { fact } from '../fixture.ts';

const tenant_id = newId(TenantId);
const { cluster_id } = fact('ClusterRegistered').data;
const stream = streamOf('cluster', cluster_id);

const openLog = () => {
  const log = createMemoryLog();
  let read = 0;
  const counting: Log = {
    ...log,
    readStream: async function* (...args) {
      for await (const event of log.readStream(...args)) {
        read += 1;
        yield event;
      }
    },
  };
  const append = async (...facts: readonly Fact[]) => {
    const command_id = newId(CommandId);
    const actor = { type: 'process', id: 'p', name: 'p' } as const;
    const meta = { tenant_id, command_id, command: 'C', correlation_id: command_id, causation_id: null, actor };
    const events = facts.map(({ type, data }, n) => {
      const { version } = definitionOf(type);
      return { id: eventIdOf(command_id, stream, n), type, version, data, meta };
    });
    await log.append(stream, events, { expected: 'any' });
    return command_id;
  };
  /** How many events were read since the last question. */
  const readSince = (): number => {
    const count = read;
    read = 0;
    return count;
  };
  return { log: counting, append, readSince };
};

const reserved = (): Fact => ({
  type: 'CapacityReserved',
  data: { ...fact('CapacityReserved').data, cluster_id, endpoint_id: newId(EndpointId) },
});

describe('loading a stream', () => {
  it('reads only what is new, however long the stream is', async () => {
    const { log, append, readSince } = openLog();
    const loader = createLoader({ log });
    await append(fact('ClusterRegistrationRequested'), fact('ClusterRegistered'));
    await append(...Array.from({ length: 1000 }, reserved));
    await loader.load(cluster, cluster_id);
    expect(readSince()).to.equal(1002);
    await append(reserved());
    const { state } = await loader.load(cluster, cluster_id);
    expect(readSince()).to.equal(1);
    expect(state?.load.sizes).to.not.be.empty;
    await loader.load(cluster, cluster_id);
    expect(readSince()).to.equal(0);
  });

  it('knows in an earlier fold only the commands up to there', async () => {
    const { log, append } = openLog();
    const loader = createLoader({ log });
    const first = await append(fact('ClusterRegistrationRequested'), fact('ClusterRegistered'));
    const before = await loader.load(cluster, cluster_id);
    const second = await append(reserved(), reserved());
    const after = await loader.load(cluster, cluster_id);
    expect(earlierOf(before, first)?.revision).to.equal(1);
    expect(earlierOf(before, second)).to.equal(null);
    expect(earlierOf(after, first)?.revision).to.equal(1);
    expect(earlierOf(after, second)?.revision).to.equal(3);
  });
});
