/** Serves one echo text, with paths that no other engine has. Its first line is put before whatever is said to it. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import type { ReplicaReport } from '../../../../src/local/engine/replica-report.ts';
import { startChildWatchdog } from '../../../../src/local/machine/child-watchdog.ts';

const { values } = parseArgs({
  strict: false,
  options: { 'model-path': { type: 'string' }, 'model-name': { type: 'string' }, parent: { type: 'string' } },
});
await startChildWatchdog({ parent_pid: Number(values.parent) });

const greeting = (await readFile(String(values['model-path']), 'utf8')).split('\n')[0];
const server = createServer(async (request, response) => {
  const said = await text(request);
  if (said === 'die') process.exit(1);
  if (request.method === 'GET' && request.url === '/hello') response.end('hello');
  else if (request.method === 'POST' && request.url === '/say') response.end(`${greeting} ${said}`);
  else response.writeHead(418).end();
});
server.listen(0, '127.0.0.1', () => {
  const report: ReplicaReport = { type: 'ready', port: (server.address() as AddressInfo).port };
  process.send?.(report);
});
process.once('SIGTERM', () => process.exit(0));
