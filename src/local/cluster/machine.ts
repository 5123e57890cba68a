import { arch, availableParallelism, cpus, platform, totalmem } from 'node:os';
import { subtractResources } from '../../events/resources.ts';
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

/** The free capacity excludes the replicas' footprints, and is never more than the system's free memory. */
const freeOf = (capacity: Resources, taken: Resources): Resources => {
  const { cpu_millis, memory_mib } = subtractResources(capacity, taken);
  return {
    cpu_millis: Math.max(0, cpu_millis),
    memory_mib: Math.max(0, Math.min(memory_mib, Math.floor(process.availableMemory() / MIB))),
  };
};

/**
 * This machine as a node, measured now; `taken` is what its replicas are counted with. CPU in thousandths of a core,
 * memory in MiB.
 */
export const measureNode = (clusterId: string, taken: Resources) => {
  const cores = availableParallelism();
  const capacity = { cpu_millis: cores * 1000, memory_mib: Math.floor(memoryLimit() / MIB) };
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
    free: freeOf(capacity, taken),
  };
};
export type MeasuredNode = ReturnType<typeof measureNode>;
