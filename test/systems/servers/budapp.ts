import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChildSystem } from '../harness/child-system.ts';
import { claimFolder } from '../harness/leftover.ts';
import { keptPort } from '../harness/ports.ts';
import type { System } from '../harness/system.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** One process of BudApp, or one of the local services, which stand in for those of the platform. */
export interface Process extends System {
  url: string;
}

interface ProcessOptions {
  dir: string;
  name: string;
  /** Chosen before it starts, so that a sidecar can be told of it. */
  port: number;
  /** What is run, from the root of the project. */
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  /** Answers 200 as soon as it can be used. */
  ready_path: string;
}

/** Where a process of that name listens, also after a restart of everything. */
export const portOf = (dir: string, name: string): Promise<number> => keptPort(dir, name);

const startProcess = async ({ dir, name, port, args, env, ready_path }: ProcessOptions): Promise<Process> => {
  await claimFolder(dir, name);
  const url = `http://127.0.0.1:${port}`;
  const system = await startChildSystem({
    name,
    version: 'budapp',
    dir,
    settings: {},
    launch: { program: process.execPath, args, cwd: ROOT, env: { ...env, DATA_DIR: join(dir, name) } },
    patience_ms: 90_000,
    ask: async () => {
      const response = await fetch(`${url}${ready_path}`, { signal: AbortSignal.timeout(3000) });
      const text = await response.text();
      if (!response.ok) throw new Error(`answered ${response.status}: ${text}`);
    },
  });
  return { ...system, url };
};

/** A BudApp process in one of its roles. */
export const startRole = (options: {
  dir: string;
  name: string;
  role: 'api' | 'projector' | 'processes' | 'all';
  port: number;
  settings: Readonly<Record<string, string>>;
}): Promise<Process> => {
  const { dir, name, role, port, settings } = options;
  return startProcess({
    ...{ dir, name, port },
    args: ['src/main.ts'],
    env: { ...settings, ROLES: role, PORT: String(port), NODE_ENV: 'production' },
    ready_path: '/health/ready',
  });
};

/** `budcluster`, `budmodel`, `budsim` or `budmetrics` of `src/local`, in a process of its own. */
export const startLocalService = (options: {
  dir: string;
  app_id: string;
  port: number;
  settings: Readonly<Record<string, string>>;
}): Promise<Process> => {
  const { dir, app_id, port, settings } = options;
  return startProcess({
    ...{ dir, port },
    name: app_id,
    args: ['src/cli.ts', 'local-service', app_id, '--port', String(port), '--data-dir', join(dir, app_id)],
    env: settings,
    ready_path: '/health',
  });
};
