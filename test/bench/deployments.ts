import { setImmediate as breathe } from 'node:timers/promises';
import { type ManyDeployments, openManyDeployments } from '../processes/many-deployments.ts';
import { watchEndings } from '../processes/watch-endings.ts';
import type { Latency } from './latency.ts';
import { type BenchLine, compare, quantile, type Run } from './measure.ts';

/** How many endpoints each run deploys, so that both sides leave a cluster and a log of the same size. */
const DEPLOYMENTS = 1000;
/** In the round that only warms up. */
const FIRST = 100;
const FEW = 50;
const MANY = 1000;
const ROUNDS = 3;
const MIB = 2 ** 20;

const each = { cpu_millis: 1, memory_mib: 1 };
const capacity = { cpu_millis: 1000 * DEPLOYMENTS, memory_mib: 1000 * DEPLOYMENTS };

interface Measured extends Run {
  /** From the request to the endpoint that runs, in milliseconds. */
  times: number[];
  /** Accepted requests a second, while the first of all callers were. */
  accepted: number;
  heap_mib: number;
}

/** Callers that each deploy, wait until the endpoint runs, and deploy the next one. */
const deployAll = async (
  many: ManyDeployments,
  { inFlight, deployments }: { inFlight: number; deployments: number },
): Promise<Measured> => {
  const endings = await watchEndings(many);
  const times: number[] = [];
  const acceptances: number[] = [];
  let heap = 0;
  let next = 0;
  const start = performance.now();
  const caller = async (): Promise<void> => {
    while (next < deployments) {
      const name = `endpoint-${next++}`;
      const asked = performance.now();
      const id = await many.deploy(name, { each });
      acceptances.push(performance.now());
      await endings.until(id);
      times.push(performance.now() - asked);
      heap = Math.max(heap, process.memoryUsage().heapUsed);
      await breathe();
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  const rate = deployments / ((performance.now() - start) / 1000);
  await endings.close();
  if (endings.failures.length > 0) throw new Error(`${endings.failures.length} failed: ${endings.failures[0]}`);
  const firstOfAll = acceptances.slice(0, inFlight).at(-1) ?? start;
  const accepted = inFlight / ((firstOfAll - start) / 1000);
  return { rate, p99: quantile(times, 0.99), times, accepted, heap_mib: heap / MIB };
};

const rounded = (values: readonly number[]): number => Math.round(quantile(values, 0.5));

/** The line of deployments, in a migrated database of its own, and what a caller waits. */
export const benchDeployments = async (
  connection_string: string,
): Promise<{ line: BenchLine; latencies: Latency[]; remark: string }> => {
  const runs: Record<number, Measured[]> = { [FEW]: [], [MANY]: [] };
  const side = (inFlight: number) => async (): Promise<Run> => {
    const many = await openManyDeployments({ connection_string, capacity });
    try {
      const deployments = runs[inFlight]?.length === 0 ? FIRST : DEPLOYMENTS;
      const measured = await deployAll(many, { inFlight, deployments });
      runs[inFlight]?.push(measured);
      return measured;
    } finally {
      await many.close();
    }
  };
  const line = await compare(
    {
      what: `deployments, ${MANY} in flight, over those with ${FEW}`,
      goal: 0.7,
      unit: 'deployments/s',
      rounds: ROUNDS,
    },
    { baseline: side(FEW), ours: side(MANY) },
  );
  const of = (inFlight: number) => (runs[inFlight] ?? []).slice(1);
  const latencies = [FEW, MANY].map((inFlight): Latency => {
    const times = of(inFlight).flatMap((run) => run.times);
    const what = `from the request to the running endpoint, ${inFlight} in flight`;
    return { what, p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
  });
  const remark = [FEW, MANY]
    .map((inFlight) => {
      const heap = rounded(of(inFlight).map(({ heap_mib }) => heap_mib));
      return `deployments, ${inFlight} in flight: ${rounded(of(inFlight).map(({ accepted }) => accepted))} accepted/s, heap up to ${heap} MiB`;
    })
    .join('\n');
  return { line, latencies, remark };
};

if (import.meta.main) {
  const { testDatabase, closeTestServer } = await import('../postgres.ts');
  const database = await testDatabase();
  try {
    console.dir(await benchDeployments(database.connection_string), { depth: 4 });
  } finally {
    await database.close();
    await closeTestServer();
  }
}
