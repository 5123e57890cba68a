import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';

/** A program to be run as a child process. */
export interface Launch {
  program: string;
  args: readonly string[];
  /** All that it sees, besides PATH, HOME and the like. */
  env?: Readonly<Record<string, string>>;
  cwd: string;
  /** As whom it runs; default: as this process. */
  user?: { uid?: number; gid?: number };
}

/**
 * Ends the process group `$1` with the signal `$2` when standard input ends, that is, when the starter ends, however that
 * ends; what is still there ten seconds later is killed.
 */
const GUARD = `read -r _
kill -"$2" "-$1" 2>/dev/null
left=100
while [ $left -gt 0 ] && kill -0 "$1" 2>/dev/null; do sleep 0.1; left=$((left - 1)); done
kill -KILL "-$1" 2>/dev/null`;

const INHERITED = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'JAVA_HOME'] as const;

const environment = (own: Readonly<Record<string, string>>): Record<string, string> => {
  const inherited = INHERITED.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(inherited), ...own };
};

export interface RunningChild {
  pid: number;
  /** Why it ended, as the rest of a sentence: `was ended by SIGKILL`. Never rejects. */
  ended: Promise<string>;
  /** What `ended` resolves to, once it has. */
  howEnded(): string | null;
}

const describeEnd = (code: number | null, signal: NodeJS.Signals | null): string =>
  signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;

/** Lets go of the event loop: nothing waits for a guard, and it ends with us. */
const startGuard = (leader: number, stopSignal: NodeJS.Signals): ChildProcess => {
  const args = ['-c', GUARD, 'guard', String(leader), stopSignal.replace('SIG', '')];
  const guard = spawn('/bin/sh', args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true, cwd: '/' });
  guard.stdin?.on('error', () => undefined);
  guard.unref();
  return guard;
};

/**
 * Starts the program in a session of its own, so that Ctrl-C on the terminal does not reach it, with its output added to
 * `log_file`. It does not outlive this process.
 */
export const startChild = async (options: {
  launch: Launch;
  log_file: string;
  stop_signal: NodeJS.Signals;
}): Promise<RunningChild> => {
  const { launch, log_file, stop_signal } = options;
  await using log = await open(log_file, 'a');
  const child = spawn(launch.program, [...launch.args], {
    cwd: launch.cwd,
    env: environment(launch.env ?? {}),
    stdio: ['ignore', log.fd, log.fd],
    detached: true,
    ...(launch.user?.uid === undefined ? {} : { uid: launch.user.uid }),
    ...(launch.user?.gid === undefined ? {} : { gid: launch.user.gid }),
  });
  let end: string | null = null;
  const exited = once(child, 'exit');
  const { pid } = child;
  if (pid === undefined) {
    // The reason comes as an `error` event, which rejects.
    await exited;
    throw new Error(`${launch.program} did not start`);
  }
  const guard = startGuard(pid, stop_signal);
  const ended = exited.then(([code, signal]) => {
    end = describeEnd(code, signal);
    // Before the pid can become somebody else's.
    guard.kill('SIGKILL');
    return end;
  });
  return { pid, ended, howEnded: () => end };
};
