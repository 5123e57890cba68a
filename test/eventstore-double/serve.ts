/**
 * The test double of EventStoreDB as a process of its own:
 *
 *     node test/eventstore-double/serve.ts --port 2113 --journal log.bin --control-port 2114
 *
 * When it can be used it prints one line of JSON (`ready`, `version`, `url`, `port`, `control_port`, `events`, `pid`). SIGTERM and
 * SIGINT end it orderly; after a `kill -9` the next start with the same journal has everything that was answered.
 * `--certificate` and `--key` (PEM files) turn TLS on, `--username` and `--password` require them. `control.ts` lists what
 * the control port can do.
 */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { startControl } from './control.ts';
import { SERVER_VERSION } from './discovery.ts';
import { createEventStoreDouble } from './double.ts';

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    port: text,
    'control-port': text,
    journal: text,
    username: text,
    password: text,
    certificate: text,
    key: text,
  },
});
const { certificate, key, username, password, journal } = values;

const double = await createEventStoreDouble({
  port: Number(values.port ?? 0),
  ...(journal === undefined ? {} : { journal }),
  ...(username === undefined || password === undefined ? {} : { credentials: { username, password } }),
  ...(certificate === undefined || key === undefined
    ? {}
    : { tls: { certificate: await readFile(certificate, 'utf8'), key: await readFile(key, 'utf8') } }),
});
let control: Awaited<ReturnType<typeof startControl>> | undefined;

const end = async (): Promise<void> => {
  await control?.close();
  await double.close();
  process.exit(0);
};
if (values['control-port'] !== undefined)
  control = await startControl(double, { port: Number(values['control-port']), exit: end });
process.once('SIGTERM', end);
process.once('SIGINT', end);

const ready = {
  ready: true,
  version: SERVER_VERSION,
  url: double.url,
  port: double.port,
  control_port: control?.port ?? null,
  events: double.size(),
  pid: process.pid,
};
process.stdout.write(`${JSON.stringify(ready)}\n`);
