import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const KEPT_RUNS = 3;

export interface RunningServer {
  url: string;
  email: string;
  password: string;
  dataDir: string | null;
  close(): Promise<void>;
}

interface Ready {
  ready: { url: string };
}

const isReady = (message: unknown): message is Ready =>
  typeof message === 'object' && message !== null && 'ready' in message;

/** Makes a new folder for this run, and keeps those of the last few runs for inspection. */
const makeDataDir = async (): Promise<string> => {
  const parent = resolve('.data');
  await mkdir(parent, { recursive: true });
  const earlier = (await readdir(parent)).filter((name) => name.startsWith('demo-')).sort();
  for (const name of earlier.slice(0, Math.max(0, earlier.length - KEPT_RUNS + 1))) {
    await rm(join(parent, name), { recursive: true, force: true });
  }
  return join(parent, `demo-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`);
};

/** Starts BudApp on the embedded default in its own process, as `npm start` does. */
export const startServer = async (environment: NodeJS.ProcessEnv): Promise<RunningServer> => {
  const dataDir = await makeDataDir();
  const email = 'demo@budapp.local';
  const password = `Demo-${randomBytes(9).toString('base64url')}-1`;
  const log: string[] = [];
  const env = { ...environment, PORT: '0', DATA_DIR: dataDir, ADMIN_EMAIL: email, ADMIN_PASSWORD: password };
  const child = fork(new URL('../main.ts', import.meta.url), { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  for (const output of [child.stdout, child.stderr]) {
    output?.on('data', (chunk: Buffer) => {
      log.push(...String(chunk).trimEnd().split('\n'));
      log.splice(0, Math.max(0, log.length - 200));
    });
  }
  const exited = new Promise<void>((done) => child.once('exit', () => done()));
  const url = await new Promise<string>((done, fail) => {
    child.on('message', (message) => {
      if (isReady(message)) done(message.ready.url);
    });
    child.once('exit', (code) =>
      fail(new Error(`BudApp ended at start with code ${code}:\n${log.slice(-30).join('\n')}`)),
    );
  });
  return {
    url,
    email,
    password,
    dataDir,
    close: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
};
