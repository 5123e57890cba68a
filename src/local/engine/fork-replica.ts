import { fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { ReplicaOptions, ReplicaProcess } from './engine.ts';
import { ReplicaReport } from './replica-report.ts';

const GRACE_MS = 5_000;

const describeExit = (code: number | null, signal: NodeJS.Signals | null): string =>
  signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;

/** A name may begin with "-", so it is one piece with its option. `clearOrphans` looks for the other two. */
const argumentsOf = ({ model_file, model_name, marker }: ReplicaOptions): string[] => [
  `--model-path=${model_file}`,
  `--model-name=${model_name}`,
  ...['--parent', String(process.pid), '--marker', marker],
];

/**
 * Starts an inference server that is a module of Node's at the path `main`. It is told `--model-path`, `--model-name`,
 * `--parent` and `--marker`, and sends one `ReplicaReport`.
 */
export const forkReplica = (main: string, options: ReplicaOptions): ReplicaProcess => {
  // The environment is empty: a replica needs none, and must not see BudApp's settings.
  const child = fork(main, argumentsOf(options), { execArgv: [], env: {}, silent: true });
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) createInterface({ input: stream }).on('line', options.onLine);
  }

  const exited = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) => resolve(describeExit(code, signal)));
  });
  const ready = new Promise<number>((resolve, reject) => {
    child.on('message', (message) => {
      const report = ReplicaReport.safeParse(message).data;
      if (report?.type === 'ready') resolve(report.port);
      if (report?.type === 'failed') reject(new Error(`could not load the model: ${report.reason}`));
    });
    void exited.then((reason) => reject(new Error(reason)));
  });
  // The caller that waits for it gets the rejection; without one it must not be unhandled.
  ready.catch(() => undefined);

  return {
    pid: child.pid,
    started_at: Date.now(),
    ready,
    exited,
    kill: () => child.kill('SIGKILL'),
    async stop() {
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
      await exited;
      clearTimeout(force);
    },
  };
};
