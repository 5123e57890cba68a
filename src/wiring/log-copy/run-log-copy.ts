import { performance } from 'node:perf_hooks';
import { migrate } from '../../adapters/postgres/migrate.ts';
import type { Config } from '../../config/config.ts';
import { createLogger } from '../../telemetry.ts';
import { type Closing, createClosing } from '../closing.ts';
import { openDatabase } from '../database.ts';
import { assertNothingLost } from '../log-fence/nothing-lost.ts';
import { MoveRefused } from '../log-positions/move-refused.ts';
import { createRetryUntilAvailable } from '../retry-until-available.ts';
import { createCopyPace } from './copy-pace.ts';
import { type Comparison, type CopyProgress, compareLogs, copyLog, LogsDiffer, TargetBehind } from './log-copy.ts';
import { cutOver } from './log-cut-over.ts';
import { type LogPlace, openCopyPool, openLogPlace } from './log-places.ts';

interface LogCopyRequest {
  /** Names of logs: see `openLogPlace`. */
  from: string;
  to: string;
  /** Events an append to the target, at most. */
  batch: number;
  /** Compares, and copies nothing. */
  verify: boolean;
  /** Copies new events as they are appended to the source, until `signal` aborts. */
  follow: boolean;
  /** Moves this installation's positions to the target. */
  cut_over: boolean;
  reset_checkpoints: boolean;
  signal: AbortSignal;
}

/** Exit codes. */
const EXIT = { done: 0, failed: 1, different: 2, source_moved: 3 } as const;

const REPORT_EVERY_MS = 2_000;
const DATABASE_TIMEOUT_MS = 10_000;

const counted = (number: number): string => Math.round(number).toLocaleString('en');

const describeProgress = (progress: CopyProgress, pace: string): string =>
  `${counted(progress.events)} events (${counted(progress.copied)} of them new)${pace === '' ? '' : `, ${pace}`}`;

const describeComparison = ({ events, streams, digest }: Comparison): string =>
  `The logs are the same: ${counted(events)} events in ${counted(streams)} streams; ids, revisions, times, data and order agree (SHA-256 ${digest}).`;

interface Run extends LogCopyRequest {
  source: LogPlace;
  target: LogPlace;
  print: (line: string) => void;
}

const copy = async ({ source, target, batch, follow, signal, print }: Run): Promise<void> => {
  const started = performance.now();
  const end = await source.log.head();
  let reported = started;
  const pace = createCopyPace({ end, started });
  const onProgress = (progress: CopyProgress): void => {
    const now = performance.now();
    const text = pace(progress, now);
    if (now - reported < REPORT_EVERY_MS) return;
    reported = now;
    print(describeProgress(progress, text));
  };
  if (follow) print('Following the source until Ctrl-C.');
  const progress = await copyLog({ from: source.log, to: target.log, batch, follow, signal, onProgress });
  print(`Copied: ${describeProgress(progress, '')} in ${counted((performance.now() - started) / 1000)} s.`);
};

/** False where the source has got new events since the comparison: the copy is right, but not complete. */
const isComplete = async ({ source, print }: Run, comparison: Comparison): Promise<boolean> => {
  if ((await source.log.head()) === comparison.from) return true;
  print('The source has got new events since. Stop BudApp and start the same again: only those are copied then.');
  return false;
};

const verify = async (run: Run): Promise<number> => {
  run.print('Comparing.');
  const comparison = await compareLogs({ from: run.source.log, to: run.target.log });
  run.print(describeComparison(comparison));
  return (await isComplete(run, comparison)) ? EXIT.done : EXIT.source_moved;
};

const moveOver = async (run: Run, connectionString: string, closing: Closing): Promise<number> => {
  const { source, target, reset_checkpoints, print } = run;
  print('Comparing, and cutting over.');
  const pool = openCopyPool(connectionString, closing);
  await assertNothingLost({ pool, log: source.log, log_id: source.id });
  const comparison = await cutOver({
    pool,
    from_id: source.id,
    to_id: target.id,
    reset: reset_checkpoints,
    compare: (onPair) => compareLogs({ from: source.log, to: target.log }, onPair),
    head: () => source.log.head(),
  });
  print(describeComparison(comparison));
  print(`This installation goes on with ${target.name} from its next start on: set EVENTSTORE_URL accordingly.`);
  return EXIT.done;
};

/** The exit code of an error that is a result of the comparison; null where the program itself failed. */
const exitOf = (error: unknown): number | null => {
  if (error instanceof LogsDiffer) return EXIT.different;
  if (error instanceof TargetBehind) return EXIT.source_moved;
  return error instanceof MoveRefused ? EXIT.failed : null;
};

const run = async (config: Config, request: LogCopyRequest, print: Run['print'], closing: Closing): Promise<number> => {
  const logger = createLogger({ level: config.log_level === 'info' ? 'warn' : config.log_level });
  const retryUntilAvailable = createRetryUntilAvailable({ timeout_ms: DATABASE_TIMEOUT_MS, logger });
  const database = await openDatabase(config, { closing, logger, retryUntilAvailable });
  await migrate({ connectionString: database.connection_string });
  const needs = { config, database, closing, logger };
  const source = await openLogPlace(request.from, needs);
  const target = await openLogPlace(request.to, needs);
  if (source.id === target.id) {
    print(`${source.name} and ${target.name} are one and the same log.`);
    return EXIT.failed;
  }
  print(`From ${source.name} to ${target.name}.`);
  const whole: Run = { ...request, source, target, print };
  if (!request.verify) await copy(whole);
  if (request.signal.aborted && !request.follow) {
    print('Stopped. The same command goes on from here.');
    return EXIT.failed;
  }
  return request.cut_over ? moveOver(whole, database.connection_string, closing) : verify(whole);
};

/**
 * `budapp log copy`: copies, compares, and cuts over where `cut_over` is set. Returns the exit code. Throws where a log
 * cannot be opened. After an interruption the same call goes on where the last one ended.
 */
export const runLogCopy = async (config: Config, request: LogCopyRequest, print: Run['print']): Promise<number> => {
  const closing = createClosing();
  try {
    return await run(config, request, print, closing);
  } catch (error) {
    const code = exitOf(error);
    if (code === null || !(error instanceof Error)) throw error;
    print(error.message);
    return code;
  } finally {
    await closing.close();
  }
};
