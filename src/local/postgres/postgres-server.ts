import { type ChildProcess, spawn } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Closable } from '../../ports/closable.ts';
import { runsIn, startOfProcess } from '../machine/process-identity.ts';
import type { ServerUser } from './server-user.ts';

/**
 * Starts the server and stops it when standard input ends: on `close()`, and also when BudApp is killed, since the pipe
 * ends with the process. SIGINT is Postgres' fast shutdown.
 */
const GUARD = `"$@" </dev/null &
server=$!
exec 2>/dev/null
read -r _
kill -INT $server
wait $server`;

const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Runs a command as the server's user, in a session of its own, so that Ctrl-C on the terminal does not reach it. */
export const spawnAs = ({ uid, gid, prefix }: ServerUser, command: readonly string[]): ChildProcess => {
  const [file = '', ...args] = [...prefix, ...command];
  const user = prefix.length > 0 || uid === undefined || gid === undefined ? {} : { uid, gid };
  return spawn(file, args, {
    ...user,
    stdio: ['pipe', 'ignore', 'pipe'],
    detached: true,
    cwd: '/',
    env: { PATH: SYSTEM_PATH, LC_ALL: 'C', TZ: 'UTC' },
  });
};

interface Postmaster {
  pid: number;
  ready: boolean;
}

/** The server's `postmaster.pid`: line 1 is its pid, line 8 its state. */
const findPostmaster = async (folder: string): Promise<Postmaster | null> => {
  try {
    const lines = (await readFile(join(folder, 'postmaster.pid'), 'utf8')).split('\n');
    const pid = Number(lines[0]);
    return Number.isInteger(pid) && pid > 1 ? { pid, ready: lines[7]?.trim() === 'ready' } : null;
  } catch {
    return null;
  }
};

/** Stops a server that a crash has left on this folder, and removes its pid file where the server no longer runs. */
export const clearLeftover = async (folder: string, log: (line: string) => void): Promise<void> => {
  const leftover = await findPostmaster(folder);
  if (!leftover) return;
  if (!(await runsIn(leftover.pid, folder))) {
    // After a restart of the machine the pid may belong to anybody; Postgres would refuse to start.
    await rm(join(folder, 'postmaster.pid'), { force: true });
    return;
  }
  log(`stopping the Postgres server ${leftover.pid} that an earlier run left behind`);
  const started = await startOfProcess(leftover.pid);
  // Fast shutdown first, then an immediate one, after which the next start recovers from the write-ahead log.
  for (const [signal, patience] of [
    ['SIGINT', 10_000],
    ['SIGQUIT', 5000],
  ] as const) {
    try {
      process.kill(leftover.pid, signal);
    } catch {
      return;
    }
    const end = performance.now() + patience;
    while (performance.now() < end) {
      if ((await startOfProcess(leftover.pid)) !== started) return;
      await delay(20);
    }
  }
  throw new Error(`The Postgres server ${leftover.pid} on ${folder} does not stop. End it, then start again.`);
};

export interface PostgresServerOptions {
  /** The `postgres` program. */
  program: string;
  folder: string;
  port: number;
  settings: Readonly<Record<string, string>>;
  user: ServerUser;
  log: (line: string) => void;
}

export interface PostgresServer extends Closable {
  /** Resolves with the server's last words when it ends, also at `close`. */
  ended: Promise<string>;
}

const quietly = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended already.
  }
};

/** Starts a server and waits until it takes connections. Throws with the server's last words where it does not. */
export const startPostgresServer = async (options: PostgresServerOptions): Promise<PostgresServer> => {
  const { program, folder, port, settings, user, log } = options;
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const guard = spawnAs(user, [
    '/bin/sh',
    '-c',
    GUARD,
    'budapp-postgres',
    program,
    '-D',
    folder,
    '-p',
    String(port),
    ...flags,
  ]);
  const lastWords: string[] = [];
  guard.stderr?.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.split('\n').filter(Boolean)) {
      log(line);
      lastWords.push(line);
      if (lastWords.length > 10) lastWords.shift();
    }
  });
  let running = true;
  let closing = false;
  const ended = new Promise<string>((resolve) => {
    const tell = () => resolve(lastWords.join('; '));
    guard.once('close', tell);
    guard.once('error', (error) => {
      lastWords.push(error.message);
      running = false;
      tell();
    });
  });
  // Nobody would stop the server when BudApp ends: it ends with its guard.
  guard.once('exit', async () => {
    const server = running ? await findPostmaster(folder) : null;
    if (server && running) quietly(server.pid, 'SIGINT');
  });
  // Only the server itself keeps this pipe open, so its end is the server's end.
  guard.stderr?.once('end', () => {
    running = false;
    if (!closing) log('the Postgres server has ended by itself');
    guard.stdin?.end();
  });
  // The guard may have exited already when its input is ended.
  guard.stdin?.on('error', () => undefined);

  const close = async (): Promise<void> => {
    closing = true;
    guard.stdin?.end();
    await ended;
  };
  const limit = performance.now() + 60_000;
  while (!(await findPostmaster(folder))?.ready) {
    if (!running || performance.now() > limit) {
      await close();
      throw new Error(`The embedded Postgres on ${folder} did not start: ${lastWords.join('; ')}`);
    }
    await delay(15);
  }
  return { close, ended };
};
