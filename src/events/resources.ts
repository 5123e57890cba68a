import type { Resources } from './values.ts';

/** Arithmetic of `Resources`: thousandths of a core and MiB of memory. A balance may be negative. */

const MIB = 1024 * 1024;

const REPLICA_CPU_MILLIS = 250;
/** Memory of an inference server before it has loaded a model. */
const RUNTIME_MIB = 192;
/** The weights in the file, the same unpacked in memory, and about as much again for activations. */
const MEMORY_PER_MODEL_BYTE = 3;

export const NO_RESOURCES: Resources = { cpu_millis: 0, memory_mib: 0 };

/**
 * The footprint of one replica of a model of `model_bytes` bytes: thousandths of a core, and MiB rounded up. It is
 * reserved for a model of which no engine has stated a footprint of its own.
 */
export const replicaFootprint = (model_bytes: number): Resources => ({
  cpu_millis: REPLICA_CPU_MILLIS,
  memory_mib: RUNTIME_MIB + Math.ceil((MEMORY_PER_MODEL_BYTE * model_bytes) / MIB),
});

/** The sum of all; zero for none. */
export const sumResources = (all: readonly Resources[]): Resources => ({
  cpu_millis: all.reduce((total, { cpu_millis }) => total + cpu_millis, 0),
  memory_mib: all.reduce((total, { memory_mib }) => total + memory_mib, 0),
});

/** `total` minus `taken`; negative where `taken` is more. */
export const subtractResources = (total: Resources, taken: Resources): Resources => ({
  cpu_millis: total.cpu_millis - taken.cpu_millis,
  memory_mib: total.memory_mib - taken.memory_mib,
});

/** The resources of `count` replicas of `each`. */
export const timesResources = ({ cpu_millis, memory_mib }: Resources, count: number): Resources => ({
  cpu_millis: cpu_millis * count,
  memory_mib: memory_mib * count,
});

/** Whether `required` fits into `free`, CPU and memory each. */
export const fitsInto = (required: Resources, free: Resources): boolean =>
  required.cpu_millis <= free.cpu_millis && required.memory_mib <= free.memory_mib;

const timesIn = (each: number, free: number): number =>
  each === 0 ? Number.MAX_SAFE_INTEGER : Math.floor(free / each);

/** How many replicas of `each` fit into `free`; 0 where it is negative. */
export const countFitting = (each: Resources, free: Resources): number =>
  Math.max(0, Math.min(timesIn(each.cpu_millis, free.cpu_millis), timesIn(each.memory_mib, free.memory_mib)));

/** For a person: `1.5 cores and 2048 MiB`. */
export const resourcesText = ({ cpu_millis, memory_mib }: Resources): string =>
  `${cpu_millis / 1000} cores and ${memory_mib} MiB`;
