import { arch, availableParallelism, cpus, platform, totalmem } from 'node:os';

/** What a replica is counted with when free capacity is reported. */
const REPLICA_CPU_MILLIS = 250;
const REPLICA_MEMORY_MIB = 128;
const MIB = 1024 * 1024;

/** The one node's name; the machine's own name is nobody's business. */
export const NODE_NAME = 'local';

/** In a container the limit counts, not what the machine has; 0 or an absurd figure means that there is none. */
const memoryLimit = (): number => {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit : totalmem();
};

export const deviceName = (): string => cpus()[0]?.model.trim() || `${arch()} CPU`;

/** Free is what the replicas have not been counted for, and never more memory than the system has at this moment. */
const freeOf = (capacity: { cpu_millis: number; memory_mib: number }, replicas: number) => ({
  cpu_millis: Math.max(0, capacity.cpu_millis - replicas * REPLICA_CPU_MILLIS),
  memory_mib: Math.max(
    0,
    Math.min(capacity.memory_mib - replicas * REPLICA_MEMORY_MIB, Math.floor(process.availableMemory() / MIB)),
  ),
});

/** This machine as a node, measured now; `replicas` is how many run on it. CPU in thousandths of a core, memory in MiB. */
export const measureNode = (clusterId: string, replicas: number) => {
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
    free: freeOf(capacity, replicas),
  };
};
export type MeasuredNode = ReturnType<typeof measureNode>;
