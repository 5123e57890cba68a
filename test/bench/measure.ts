/** One measurement of one side. */
export interface Run {
  /** Operations a second. */
  rate: number;
  /** Milliseconds; absent where single operations are not told apart. */
  p99?: number;
}

/** One line of the bench table: the medians of both sides. Rates are a second, times are milliseconds. */
export interface BenchLine {
  what: string;
  unit: string;
  baseline: number;
  ours: number;
  ratio: number;
  /** The least ratio; 0: there is none, it is only reported. */
  goal: number;
  baseline_p99?: number;
  our_p99?: number;
  /** Whether the goal also says that our p99 is not worse. */
  p99_counts: boolean;
}

export interface LineOptions {
  what: string;
  goal: number;
  unit: string;
  rounds?: number;
  p99_counts?: boolean;
}

export interface Sides {
  baseline: () => Promise<Run>;
  ours: () => Promise<Run>;
}

const ROUNDS = 5;

/** The value that `part` of the values are below; 0 where there are none. */
export const quantile = (values: readonly number[], part: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * part)] ?? 0;

export const median = (values: readonly number[]): number => quantile(values, 0.5);

const medianP99 = (runs: readonly Run[]): number | undefined => {
  const times = runs.flatMap(({ p99 }) => (p99 === undefined ? [] : [p99]));
  return times.length === 0 ? undefined : median(times);
};

/** Both sides in turns, so that whatever else the machine does hits both alike. The first turn warms up and is left out. */
export const compare = async (
  { what, goal, unit, rounds = ROUNDS, p99_counts = false }: LineOptions,
  sides: Sides,
): Promise<BenchLine> => {
  await sides.baseline();
  await sides.ours();
  const theirs: Run[] = [];
  const ours: Run[] = [];
  for (let round = 0; round < rounds; round++) {
    theirs.push(await sides.baseline());
    ours.push(await sides.ours());
  }
  const [theirRate, ourRate] = [theirs, ours].map((runs) => median(runs.map(({ rate }) => rate)));
  const [theirP99, ourP99] = [theirs, ours].map(medianP99);
  return {
    what,
    unit,
    goal,
    p99_counts,
    ratio: (ourRate ?? 0) / (theirRate || 1),
    baseline: theirRate ?? 0,
    ours: ourRate ?? 0,
    ...(theirP99 === undefined ? {} : { baseline_p99: theirP99 }),
    ...(ourP99 === undefined ? {} : { our_p99: ourP99 }),
  };
};

/** How long it takes to do `count` things once. */
export const timed = async (count: number, work: () => Promise<void>): Promise<Run> => {
  const start = performance.now();
  await work();
  return { rate: count / ((performance.now() - start) / 1000) };
};

/** Callers that each wait for their answer before they go on, for a fixed number of operations altogether. */
export const callers = async (count: number, operations: number, operate: () => Promise<void>): Promise<Run> => {
  const times: number[] = [];
  let left = operations;
  const { rate } = await timed(operations, async () => {
    const caller = async (): Promise<void> => {
      while (left-- > 0) {
        const start = performance.now();
        await operate();
        times.push(performance.now() - start);
      }
    };
    await Promise.all(Array.from({ length: count }, caller));
  });
  return { rate, p99: quantile(times, 0.99) };
};
