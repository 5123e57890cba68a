import type { Resources } from './values.ts';

/** Arithmetic of `Resources`: thousandths of a core and MiB of memory. A balance may be negative. */

const MIB = 1024 * 1024;

const REPLICA_CPU_MILLIS = 250;
/** What an inference server takes before it has loaded anything: the runtime itself. */
const RUNTIME_MIB = 192;
/** Weights in the file, the same unpacked in memory, and about as much again for what is computed in between. */
const MEMORY_PER_MODEL_BYTE = 3;

export const NO_RESOURCES: Resources = { cpu_millis: 0, memory_mib: 0 };

/**
 * What one replica of a model of `model_bytes` bytes takes: thousandths of a core, and MiB rounded up. The reservation,
 * the placement and the cluster's free capacity all count with it; with different figures a placement promises room
 * that the reservation then refuses.
 */
export const replicaFootprint = (model_bytes: number): Resources => ({
  cpu_millis: REPLICA_CPU_MILLIS,
  memory_mib: RUNTIME_MIB + Math.ceil((MEMORY_PER_MODEL_BYTE * model_bytes) / MIB),
});

/** Thousandths of a core and MiB of all together; nothing for none. */
export const sumResources = (all: readonly Resources[]): Resources => ({
  cpu_millis: all.reduce((total, { cpu_millis }) => total + cpu_millis, 0),
  memory_mib: all.reduce((total, { memory_mib }) => total + memory_mib, 0),
});

/** What is left of `total`: thousandths of a core and MiB, negative where more is taken than there is. */
export const subtractResources = (total: Resources, taken: Resources): Resources => ({
  cpu_millis: total.cpu_millis - taken.cpu_millis,
  memory_mib: total.memory_mib - taken.memory_mib,
});

/** What `count` replicas of `each` take together, in the units of `each`. */
export const timesResources = ({ cpu_millis, memory_mib }: Resources, count: number): Resources => ({
  cpu_millis: cpu_millis * count,
  memory_mib: memory_mib * count,
});

/** Is `wanted` no more than there is of either kind? */
export const fitsInto = (wanted: Resources, free: Resources): boolean =>
  wanted.cpu_millis <= free.cpu_millis && wanted.memory_mib <= free.memory_mib;

/** How many replicas of `each` fit into `free`; 0 where it is negative. */
export const countFitting = (each: Resources, free: Resources): number =>
  Math.max(0, Math.floor(Math.min(free.cpu_millis / each.cpu_millis, free.memory_mib / each.memory_mib)));
