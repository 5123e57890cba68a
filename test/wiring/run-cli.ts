import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

export interface RunningCli {
  child: ChildProcess;
  /** All that it printed. */
  output(): string;
  /** The exit code, or the signal that ended it. */
  exited: Promise<number | string | null>;
}

/** Starts the command line in a process of its own, over the database of `connection_string`. */
export const startCli = (
  args: readonly string[],
  { connection_string, env = {} }: { connection_string: string; env?: Readonly<Record<string, string>> },
): RunningCli => {
  const { hostname, port, username, password, pathname } = new URL(connection_string);
  const child = fork(new URL('../../src/cli.ts', import.meta.url), [...args], {
    env: {
      ...process.env,
      POSTGRES_HOST: hostname,
      POSTGRES_PORT: port,
      POSTGRES_USER: username,
      POSTGRES_PASSWORD: password,
      POSTGRES_DB: pathname.slice(1),
      MASTER_KEY: Buffer.alloc(32, 7).toString('base64'),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    execArgv: [],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (text: Buffer) => {
      output += String(text);
    });
  }
  const exited = once(child, 'close').then(([code, signal]) => (signal ?? code) as number | string | null);
  return { child, output: () => output, exited };
};
