import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startChildSystem } from '../harness/child-system.ts';
import { claimFolder } from '../harness/leftover.ts';
import { keptPort } from '../harness/ports.ts';
import type { System } from '../harness/system.ts';
import { needTool } from '../install/tools.ts';
import { askRedis } from './redis-command.ts';

interface RedisOptions {
  dir: string;
  /** Letters and digits only. */
  password: string;
}

interface RedisSystem extends System {
  port: number;
  /** Sends one command and answers its reply; rejects with what the server refuses it with. */
  command(...words: readonly string[]): Promise<string | null>;
}

/** A Redis server that writes each change to disk (`appendfsync always`), so that `kill -9` loses nothing it confirmed. */
export const startRedis = async ({ dir, password }: RedisOptions): Promise<RedisSystem> => {
  const { program, version } = await needTool('redis-server');
  await claimFolder(dir, 'redis');
  const port = await keptPort(dir, 'redis');
  const data = join(dir, 'redis');
  await mkdir(data, { recursive: true });
  const command = (...words: readonly string[]) => askRedis({ port, password }, words);
  const settings = {
    bind: '127.0.0.1',
    port: String(port),
    dir: data,
    requirepass: password,
    appendonly: 'yes',
    appendfsync: 'always',
    save: '',
    daemonize: 'no',
  };
  const system = await startChildSystem({
    name: 'redis',
    version,
    dir,
    // BudApp does not know Redis: Dapr's components do.
    settings: { REDIS_HOST: `127.0.0.1:${port}`, REDIS_PASSWORD: password },
    launch: { program, args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]), cwd: data },
    ask: async () => {
      const reply = await command('ping');
      if (reply !== 'PONG') throw new Error(`redis answered ${reply} to ping`);
    },
  });
  return { ...system, port, command };
};
