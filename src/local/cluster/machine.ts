import { arch, availableParallelism, cpus, platform, totalmem } from 'node:os';
import { capacityOf, type Holding } from '../../events/capacity.ts';
import { subtractResources, sumResources } from '../../events/resources.ts';
import type { Resources } from '../../events/values.ts';

const MIB = 1024 * 1024;

/** The name of the only node. The machine's own name stays private. */
export const NODE_NAME = 'local';

/** In a container the memory limit counts; 0 or an absurdly large value means that there is none. */
const memoryLimit = (): number => {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit : totalmem();
};

export const deviceName = (): string => cpus()[0]?.model.trim() || `${arch()} CPU`;

const atLeastNothing = ({ cpu_millis, memory_mib }: Resources): Resources => ({
  cpu_millis: Math.max(0, cpu_millis),
  memory_mib: Math.max(0, memory_mib),
});

/** The replicas on this machine, by the namespace of their deployment. */
export interface Taken {
  /** Of the cluster whose node this is. */
  own: Readonly<Record<string, Holding>>;
  /** Of the other clusters that this machine is. What they take is no capacity of this cluster. */
  others: readonly Holding[];
}

/** This machine as a node, measured now. CPU in thousandths of a core, memory in MiB. */
export const measureNode = (clusterId: string, { own, others }: Taken) => {
  const cores = availableParallelism();
  const machine = { cpu_millis: cores * 1000, memory_mib: Math.floor(memoryLimit() / MIB) };
  const elsewhere = sumResources(others.map(({ resources }) => resources));
  const capacity = atLeastNothing(subtractResources(machine, elsewhere));
  const node = { name: NODE_NAME, status: 'Ready', resources: capacity };
  const { free } = capacityOf({ nodes: [node], reservations: own });
  return {
    id: `${clusterId}-${NODE_NAME}`,
    name: NODE_NAME,
    status: 'Ready',
    platform: platform(),
    architecture: arch(),
    cores,
    memory_mib: capacity.memory_mib,
    devices: [
      {
        type: 'cpu',
        name: deviceName(),
        available_count: cores,
        total_count: cores,
        cores,
        memory_mib: capacity.memory_mib,
      },
    ],
    capacity,
    free: atLeastNothing(free),
  };
};
export type MeasuredNode = ReturnType<typeof measureNode>;
