import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { keptPort } from '../harness/ports.ts';
import { keptSecret, strongPassword } from '../harness/secrets.ts';
import type { System } from '../harness/system.ts';
import { ADMIN_EMAIL, type SystemName, systemStarts } from './system-starts.ts';

/** Systems that run together, as BudApp is set up to use them. */
interface RunningSystems {
  systems: readonly System[];
  /** The settings that make BudApp use them all, and what else an installation needs. */
  settings: Readonly<Record<string, string>>;
  /** Stops them in reverse order. */
  close(): Promise<void>;
}

/** What BudApp needs besides the systems' own settings, remembered in `dir`. */
const ownSettings = async (dir: string): Promise<Record<string, string>> => ({
  MASTER_KEY: await keptSecret(dir, 'master-key', () => randomBytes(32).toString('base64')),
  // Its sidecar knows it under this port.
  PORT: String(await keptPort(dir, 'budapp')),
  DATA_DIR: join(dir, 'data'),
  ADMIN_EMAIL,
  ADMIN_PASSWORD: await keptSecret(dir, 'admin', strongPassword),
});

/** Takes systems that run, in the order in which they were started. */
export const runningSystems = async (dir: string, systems: readonly System[]): Promise<RunningSystems> => {
  const settings = await ownSettings(dir);
  // BudApp's own sidecar comes before those of the services.
  for (const system of systems.toReversed()) Object.assign(settings, system.settings);
  return {
    systems,
    settings,
    async close() {
      for (const system of systems.toReversed()) await system.close();
    },
  };
};

/**
 * Installs what is missing and starts the systems with their data in `dir`, all or those named. Where one fails, the
 * others are stopped and its error is thrown, `NotToBeHad` among them.
 */
export const startAll = async ({
  dir,
  only,
}: {
  dir: string;
  only?: readonly SystemName[];
}): Promise<RunningSystems> => {
  const outcomes = await Promise.allSettled(systemStarts(dir, only).map((start) => start.start()));
  const systems = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []));
  const running = await runningSystems(dir, systems);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed === undefined) return running;
  await running.close();
  throw failed.reason;
};
