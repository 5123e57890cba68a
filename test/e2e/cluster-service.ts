import { fork } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findFreePort } from '../../src/local/machine/free-port.ts';

const CLI = new URL('../../src/cli.ts', import.meta.url);
const TOKEN = 'the-token-of-the-services';

/**
 * The local cluster service as a process of its own, which can be killed, frozen and wiped without BudApp, and the settings
 * of the BudApp that works with it.
 */
export const createClusterService = async (folder: string) => {
  const [port, budappPort] = [await findFreePort(), await findFreePort()];
  const dir = join(folder, 'cluster-service');
  const url = `http://127.0.0.1:${port}`;
  let child: ReturnType<typeof fork> | null = null;

  const end = async (signal: NodeJS.Signals) => {
    const ending = child;
    child = null;
    if (!ending) return;
    const exited = once(ending, 'exit');
    ending.kill(signal);
    await exited;
  };
  return {
    url,
    env: {
      PORT: String(budappPort),
      APP_API_TOKEN: TOKEN,
      BUDCLUSTER_SERVICE_URL: url,
      // A real cluster service wants a kubeconfig; this one takes any text.
      CLUSTER_CONFIGURATION: 'any',
      STATUS_INTERVAL_SECONDS: '1',
      STATUS_SILENCE_SECONDS: '4',
    },
    async start() {
      child = fork(CLI, ['local-service', 'budcluster', '--port', String(port), '--data-dir', dir], {
        env: {
          ...process.env,
          NOTIFICATIONS_URL: `http://127.0.0.1:${budappPort}`,
          APP_API_TOKEN: TOKEN,
          LOG_LEVEL: 'warn',
        },
        execArgv: [],
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
      await once(child, 'message');
    },
    kill: () => end('SIGKILL'),
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    /** Ends it, and all that it remembers. */
    async wipe() {
      await end('SIGKILL');
      await rm(dir, { recursive: true, force: true });
    },
    async stop() {
      child?.kill('SIGCONT');
      await end('SIGTERM');
    },
    /** Asks it as somebody else than BudApp. */
    async ask(method: string, path: string, body?: unknown): Promise<unknown> {
      const response = await fetch(`${url}/${path}`, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      });
      return response.json();
    },
  };
};
export type ClusterService = Awaited<ReturnType<typeof createClusterService>>;
