import { failureText } from '../../failures/failure-text.ts';
import type { ReplicaProcess } from '../engine/engine.ts';
import { createLogLines, type LogLines } from './log-lines.ts';
import { PROBE, type Probe, type ProbeTiming, startProbe } from './probe.ts';

/**
 *     starting -> ready <-> unresponsive -> (exit) -> waiting -> starting ...        any -> stopped
 *
 * What does not answer its probe is the last choice at first, then unresponsive until it answers again, and is killed in
 * the end.
 * A process that ends unasked is started again after a pause that doubles with every failure in a row. From
 * `CRASH_LOOP` failures on the worker counts as failed, yet is still tried at the longest pause.
 */
type WorkerState =
  | { status: 'starting'; replica: ReplicaProcess }
  | { status: 'ready'; replica: ReplicaProcess; port: number }
  | { status: 'unresponsive'; replica: ReplicaProcess; port: number }
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
  /** Where requests go; null while it does not serve. */
  serving(): Serving | null;
  /** A request had no answer at this port: the worker leaves the rotation until its probe is answered, which is asked at once. */
  suspect(port: number): void;
  /** Once. */
  start(): void;
  /**
   * Resolves when the worker is ready for the first time; rejects with the reason of the first failure, or when it is
   * stopped.
   */
  firstReady: Promise<void>;
  stop(): Promise<void>;
}

/** A replica that takes requests. */
export interface Serving {
  port: number;
  /** True where a request or a probe had no answer, and no probe since had one: only for want of a better one. */
  suspected: boolean;
  /** Aborts when the replica becomes unresponsive or ends: whoever waits for an answer need not wait longer. */
  lost: AbortSignal;
}

export interface WorkerOptions {
  id: string;
  name: string;
  launch: (onLine: (line: string) => void) => ReplicaProcess;
  /** Asks a replica whether it is alive. Never rejects. */
  isAlive: (port: number, signal: AbortSignal) => Promise<boolean>;
  onChange: () => void;
  probe?: ProbeTiming;
}

const CRASH_LOOP = 5;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;
/** After this uptime earlier failures no longer count. */
const STABLE_MS = 30_000;
const START_TIMEOUT_MS = 60_000;

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
  /** Of the replica that is ready or unresponsive. */
  let watched: Probe | undefined;
  let lost = new AbortController();
  let suspected = false;

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

  /** Takes a replica into the rotation, and out of it and back as its probe tells. */
  const watch = (replica: ReplicaProcess, port: number) => {
    const onAnswer = () => {
      suspected = false;
      if (state.status !== 'unresponsive') return;
      say('answers its health probe again');
      lost = new AbortController();
      become({ status: 'ready', replica, port });
    };
    const onMissed = (missed: number) => {
      suspected = true;
      if (missed < probe.missed_until_lost) return;
      lost.abort();
      if (state.status === 'ready') {
        say('does not answer its health probe: no request goes to it');
        become({ status: 'unresponsive', replica, port });
      }
      if (missed < probe.missed_until_killed) return;
      say(`no answer to ${missed} health probes: killing process ${replica.pid}`);
      replica.kill();
    };
    suspected = false;
    lost = new AbortController();
    watched = startProbe({ isAlive: (signal) => isAlive(port, signal), timing: probe, onAnswer, onMissed });
    become({ status: 'ready', replica, port });
  };

  const follow = async (replica: ReplicaProcess) => {
    const outcome = await outcomeOf(replica);
    if ('failure' in outcome) {
      await replica.exited;
      return onEnd(outcome.failure, null);
    }
    if (state.status === 'stopped') return;
    const readyAt = Date.now();
    watch(replica, outcome.port);
    first.resolve();
    const why = await replica.exited;
    watched?.stop();
    lost.abort();
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
    reason: () => (state.status === 'unresponsive' ? `${name} does not answer its health probe` : reason),
    logs,
    serving: () => (state.status === 'ready' ? { port: state.port, suspected, lost: lost.signal } : null),
    suspect(port) {
      if (state.status !== 'ready' || state.port !== port) return;
      suspected = true;
      watched?.ask();
    },
    firstReady: first.promise,
    async stop() {
      const last = state;
      clearTimeout(pause);
      watched?.stop();
      state = { status: 'stopped' };
      first.reject(new Error(`${name} was stopped`));
      if ('replica' in last) await last.replica.stop();
    },
  };
};
