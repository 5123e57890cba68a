import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createClient } from '../../src/demo/client.ts';
import { checkedFetch } from '../api/checked-fetch.ts';
import { copyPrepared } from './prepared-folder.ts';

export const ADMIN = { email: 'admin@example.test', password: 'Correct-Horse-7' };

export interface BudApp {
  url: string;
  pid: number;
  /** All that it printed. */
  output(): string;
  /** How the process ended: the signal, or the exit code. */
  exited(): Promise<string>;
  /** SIGKILL: nothing is tidied up. */
  kill(): Promise<void>;
  /** SIGTERM; answers the exit code. */
  stop(): Promise<number | null>;
}

type Settings = Readonly<Record<string, string>>;

/** Starts BudApp in a process of its own, as `npm start` does, and waits until it serves; a new folder is prepared. */
export const startBudApp = async (dataDir: string, env: Settings = {}): Promise<BudApp> => {
  if (env.POSTGRES_HOST === undefined) await copyPrepared(dataDir);
  return startUnprepared(dataDir, env);
};

/** The same where what a first start makes is what matters. */
export const startUnprepared = async (dataDir: string, env: Settings = {}): Promise<BudApp> => {
  const child = fork(new URL('../../src/main.ts', import.meta.url), {
    env: {
      ...process.env,
      PORT: '0',
      DATA_DIR: dataDir,
      ADMIN_EMAIL: ADMIN.email,
      ADMIN_PASSWORD: ADMIN.password,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    execArgv: [],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += String(chunk);
    });
  }
  const exit = once(child, 'exit');
  const exited = exit.then(([code]) => code as number | null);
  const ended = exit.then(([code, signal]) => String(signal ?? code));
  const url = await new Promise<string>((resolve, reject) => {
    child.on('message', (message) => resolve((message as { ready: { url: string } }).ready.url));
    void exited.then((code) => reject(new Error(`BudApp ended at start with code ${code}:\n${output}`)));
  });
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    return exited;
  };
  return {
    url,
    pid: child.pid ?? 0,
    output: () => output,
    exited: () => ended,
    kill: async () => {
      await end('SIGKILL');
    },
    stop: () => end('SIGTERM'),
  };
};

export const loggedIn = async (budapp: BudApp) => {
  const client = createClient(budapp.url, checkedFetch);
  await client.login(ADMIN.email, ADMIN.password);
  return client;
};

/** The inference servers that run for this data folder, by their command lines. */
export const inferenceProcesses = async (dataDir: string): Promise<number[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return command.includes('onnx/replica-main.ts') && command.includes(dataDir) ? [pid] : [];
    }),
  );
  return found.flat();
};
