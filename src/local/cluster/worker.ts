import { failureText } from '../../failures/failure-text.ts';
import type { ReplicaProcess } from '../engine/engine.ts';
import { createLogLines, type LogLines } from './log-lines.ts';

/**
 *     starting -> ready -> (exit) -> waiting -> starting ...        any -> stopped
 *
 * A process that ends unasked is started again after a pause that doubles with every failure in a row. From
 * `CRASH_LOOP` failures on the worker counts as failed, yet is still tried at the longest pause.
 */
type WorkerState =
  | { status: 'starting'; replica: ReplicaProcess }
  | { status: 'ready'; replica: ReplicaProcess; port: number }
  | { status: 'waiting' }
  | { status: 'stopped' };

export interface Worker {
  id: string;
  name: string;
  state(): WorkerState;
  /** True after so many failures in a row that the worker is not expected to start. */
  failed(): boolean;
  /** Why the worker is not ready, as a sentence; null where it has not failed since it was last stable. */
  reason(): string | null;
  logs: LogLines;
  /** Once. */
  start(): void;
  /**
   * Resolves when the worker is ready for the first time; rejects with the reason of the first failure, or when it is
   * stopped.
   */
  firstReady: Promise<void>;
  stop(): Promise<void>;
}

/** The port at which it serves; null while it does not. */
export const readyPort = (worker: Worker): number | null => {
  const state = worker.state();
  return state.status === 'ready' ? state.port : null;
};

export interface WorkerOptions {
  id: string;
  name: string;
  launch: (onLine: (line: string) => void) => ReplicaProcess;
  /** Asks a ready replica whether it is alive. Never rejects. */
  isAlive: (port: number, signal: AbortSignal) => Promise<boolean>;
  onChange: () => void;
  /** How often, and for how long, a ready replica is asked whether it is alive. */
  probe?: { interval_ms: number; timeout_ms: number };
}

const CRASH_LOOP = 5;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;
/** After this uptime earlier failures no longer count. */
const STABLE_MS = 30_000;
const START_TIMEOUT_MS = 60_000;
const MISSED_PROBES = 3;
/** Inference blocks a replica, so three missed probes take longer than the ingress lets any request run. */
const PROBE = { interval_ms: 5_000, timeout_ms: 20_000 };

interface Watched {
  isAlive: WorkerOptions['isAlive'];
  replica: ReplicaProcess;
  port: number;
  probe: { interval_ms: number; timeout_ms: number };
  say: (line: string) => void;
}

/**
 * Kills a process that runs but no longer answers; its exit is then handled as usual. Returns the function that stops
 * the check.
 */
const watch = ({ isAlive, replica, port, probe, say }: Watched): (() => void) => {
  let missed = 0;
  let busy = false;
  const ask = async () => {
    if (busy) return;
    busy = true;
    missed = (await isAlive(port, AbortSignal.timeout(probe.timeout_ms))) ? 0 : missed + 1;
    busy = false;
    if (missed < MISSED_PROBES) return;
    clearInterval(timer);
    say(`no answer to ${missed} health probes: killing process ${replica.pid}`);
    replica.kill();
  };
  const timer = setInterval(() => void ask(), probe.interval_ms).unref();
  return () => clearInterval(timer);
};

/** The port, or the reason why there is none. A process that takes too long is killed. */
const outcomeOf = async (replica: ReplicaProcess): Promise<{ port: number } | { failure: string }> => {
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    replica.kill();
  }, START_TIMEOUT_MS);
  try {
    return { port: await replica.ready };
  } catch (error) {
    return { failure: late ? `did not load the model within ${START_TIMEOUT_MS / 1000} s` : failureText(error) };
  } finally {
    clearTimeout(timer);
  }
};

export const createWorker = ({ id, name, launch, isAlive, onChange, probe = PROBE }: WorkerOptions): Worker => {
  const logs = createLogLines();
  const first = Promise.withResolvers<void>();
  first.promise.catch(() => undefined);
  let state: WorkerState = { status: 'waiting' };
  let failures = 0;
  let reason: string | null = null;
  let pause: NodeJS.Timeout | undefined;

  const say = (line: string) => logs.add(`${new Date().toISOString()} [supervisor] ${line}`);
  const become = (next: WorkerState) => {
    state = next;
    onChange();
  };

  const onEnd = (why: string, readyAt: number | null) => {
    if (state.status === 'stopped') return;
    failures = readyAt !== null && Date.now() - readyAt > STABLE_MS ? 1 : failures + 1;
    reason = `${name} ${why}`;
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS);
    say(`${why}; failure ${failures} in a row, starting again in ${pauseMs} ms`);
    first.reject(new Error(reason));
    pause = setTimeout(run, pauseMs);
    become({ status: 'waiting' });
  };

  const follow = async (replica: ReplicaProcess) => {
    const outcome = await outcomeOf(replica);
    if ('failure' in outcome) {
      await replica.exited;
      return onEnd(outcome.failure, null);
    }
    if (state.status === 'stopped') return;
    const readyAt = Date.now();
    const unwatch = watch({ isAlive, replica, port: outcome.port, probe, say });
    become({ status: 'ready', replica, port: outcome.port });
    first.resolve();
    const why = await replica.exited;
    unwatch();
    onEnd(why, readyAt);
  };

  const run = () => {
    const replica = launch(logs.add);
    become({ status: 'starting', replica });
    void follow(replica);
  };

  return {
    id,
    name,
    start: run,
    state: () => state,
    failed: () => failures >= CRASH_LOOP && state.status !== 'ready',
    reason: () => reason,
    logs,
    firstReady: first.promise,
    async stop() {
      const last = state;
      clearTimeout(pause);
      state = { status: 'stopped' };
      first.reject(new Error(`${name} was stopped`));
      if (last.status === 'starting' || last.status === 'ready') await last.replica.stop();
    },
  };
};
