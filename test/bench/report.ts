import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import type { Latency } from './latency.ts';
import type { BenchLine } from './measure.ts';

const GIB = 2 ** 30;

/** What was measured on; `postgres` as the server says it. */
export const machineText = (postgres: { version: string; fsync: string; synchronous_commit: string }): string => {
  const [cpu] = cpus();
  const memory = `${(totalmem() / GIB).toFixed(0)} GiB (${(freemem() / GIB).toFixed(0)} free)`;
  return [
    `machine   ${availableParallelism()} cores, ${cpu?.model.trim() ?? 'unknown'}; ${memory}; ${process.platform} ${process.arch}`,
    `node      ${process.version}`,
    `postgres  ${postgres.version}, fsync ${postgres.fsync}, synchronous_commit ${postgres.synchronous_commit}`,
  ].join('\n');
};

const rate = (value: number): string => Math.round(value).toLocaleString('en');

const time = (value: number | undefined): string => (value === undefined ? '-' : value.toFixed(1));

/** Exactly what the goal says: rounding must not turn a miss into a hit. */
export const isMet = ({ ratio, goal, p99_counts, our_p99 = 0, baseline_p99 = 0 }: BenchLine): boolean =>
  ratio >= goal && (!p99_counts || our_p99 <= baseline_p99);

const HEAD = ['what', 'unit', 'baseline', 'ours', 'ratio', 'goal', 'p99 ms baseline', 'ours', ''];

const cellsOf = (line: BenchLine): string[] => [
  line.what,
  line.unit,
  rate(line.baseline),
  rate(line.ours),
  `${line.ratio.toFixed(2)} x`,
  line.goal === 0 ? '-' : `${line.goal} x${line.p99_counts ? ', p99' : ''}`,
  time(line.baseline_p99),
  time(line.our_p99),
  line.goal === 0 ? 'reported' : isMet(line) ? 'met' : 'not met',
];

const aligned = (rows: readonly (readonly string[])[]): string => {
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const isText = (column: number) => column < 2 || column === HEAD.length - 1;
  return rows
    .map((row) =>
      row
        .map((cell, column) => (isText(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
};

/** The table. Rates are medians of rounds taken in turns. */
export const tableText = (lines: readonly BenchLine[], latencies: readonly Latency[]): string => {
  const widest = Math.max(...latencies.map(({ what }) => what.length));
  return [
    aligned([HEAD, ...lines.map(cellsOf)]),
    '',
    ...latencies.map(({ what, p50, p99 }) => `${what.padEnd(widest)}  p50 ${time(p50)} ms  p99 ${time(p99)} ms`),
  ].join('\n');
};
