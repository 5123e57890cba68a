import { connect } from 'nats';
import { startChildSystem } from '../harness/child-system.ts';
import { claimFolder } from '../harness/leftover.ts';
import { keptPort } from '../harness/ports.ts';
import type { System } from '../harness/system.ts';
import { needTool } from '../install/tools.ts';

interface NatsOptions {
  dir: string;
  /** Refuses clients that do not give these; the `NATS_URL` carries them. Letters and digits only. */
  auth?: { user: string; password: string };
}

const addressOf = (port: number, auth: NatsOptions['auth']): string =>
  auth === undefined ? `nats://127.0.0.1:${port}` : `nats://${auth.user}:${auth.password}@127.0.0.1:${port}`;

/** A NATS server without JetStream: it keeps nothing. */
export const startNats = async ({ dir, auth }: NatsOptions): Promise<System> => {
  const { program, version } = await needTool('nats-server');
  await claimFolder(dir, 'nats');
  const port = await keptPort(dir, 'nats');
  const login = auth === undefined ? [] : ['--user', auth.user, '--pass', auth.password];
  const credentials = auth === undefined ? {} : { user: auth.user, pass: auth.password };
  return startChildSystem({
    name: 'nats',
    version,
    dir,
    settings: { NATS_URL: addressOf(port, auth) },
    launch: { program, args: ['--addr', '127.0.0.1', '--port', String(port), ...login], cwd: dir },
    ask: async () => {
      const client = await connect({ servers: `127.0.0.1:${port}`, reconnect: false, timeout: 2000, ...credentials });
      await client.close();
    },
  });
};
