import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EventStoreDBClient } from '@eventstore/db-client';
import { SERVER_VERSION } from '../../eventstore-double/discovery.ts';
import { startChildSystem } from '../harness/child-system.ts';
import { claimFolder } from '../harness/leftover.ts';
import { keptPort } from '../harness/ports.ts';
import type { System } from '../harness/system.ts';

const SERVE = fileURLToPath(new URL('../../eventstore-double/serve.ts', import.meta.url));

interface EventStoreDouble extends System {
  /** Where faults are ordered: see `test/eventstore-double/control.ts`. */
  control_url: string;
}

const readOne = async (url: string): Promise<void> => {
  const client = EventStoreDBClient.connectionString(url);
  try {
    for await (const _event of client.readAll({ maxCount: 1, deadline: 2000 })) break;
  } finally {
    await client.dispose();
  }
};

/** The project's test double of EventStoreDB as a process of its own, its log in a journal below `dir`. */
export const startEventStoreDouble = async ({ dir }: { dir: string }): Promise<EventStoreDouble> => {
  const name = 'eventstore-double';
  await claimFolder(dir, name);
  const [port, control_port] = [await keptPort(dir, name), await keptPort(dir, `${name}-control`)];
  const data = join(dir, name);
  await mkdir(data, { recursive: true });
  const url = `esdb://127.0.0.1:${port}?tls=false`;
  const where = ['--port', String(port), '--control-port', String(control_port), '--journal', join(data, 'journal')];
  const system = await startChildSystem({
    name,
    version: `${name} ${SERVER_VERSION}`,
    dir,
    settings: { EVENTSTORE_URL: url },
    launch: { program: process.execPath, args: [SERVE, ...where], cwd: data },
    ask: () => readOne(url),
  });
  return { ...system, control_url: `http://127.0.0.1:${control_port}` };
};
