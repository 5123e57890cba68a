import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { z } from 'zod';
import { SERVER_VERSION } from './discovery.ts';
import type { EventStoreDouble } from './double.ts';
import { HOST } from './listener.ts';
import type { Backup } from './store/store.ts';

const FaultBody = z.object({
  call: z.enum(['append', 'read', 'subscription', 'features']),
  kind: z.enum(['mute', 'drop', 'end', 'not-leader', 'not-ready']),
  times: z.int().positive().optional(),
  written: z.boolean().optional(),
});
const SlowBody = z.object({ milliseconds: z.number().nonnegative() });
const TailBody = z.object({ events: z.int().nonnegative() });
const BandwidthBody = z.object({ bytes_per_second: z.number().positive() });
const BackupBody = z.object({ name: z.string() });
const StartBody = z.union([
  z.strictObject({ backup: z.string() }),
  z.strictObject({ log: z.enum(['keep', 'lose']).default('keep') }),
]);

const UsersBody = z.object({
  users: z.array(
    z.object({
      username: z.string(),
      password: z.string(),
      rights: z.array(z.enum(['append', 'read', 'read-all'])).exactOptional(),
    }),
  ),
});

/** A double with the backups that were ordered, by name; they are gone with its process. */
interface Controlled {
  double: EventStoreDouble;
  backups: Map<string, Backup>;
  /** Ends the process with code 0, once the order is answered. */
  exit(): void;
}

type Action = (controlled: Controlled, body: unknown) => void | Promise<void>;

const start: Action = async ({ double, backups }, body) => {
  const order = StartBody.parse(body);
  if ('log' in order) return double.start(order.log);
  const backup = backups.get(order.backup);
  if (backup === undefined) throw new RangeError(`no backup is named ${order.backup}`);
  await double.start(backup);
};

/** What the control port can do; each takes its arguments as a JSON body. */
const ACTIONS: Readonly<Record<string, Action>> = {
  'POST /faults': ({ double }, body) => {
    const { call, kind, times = Infinity, written = false } = FaultBody.parse(body);
    double.faults.inject(call, kind, { times, written });
  },
  'DELETE /faults': ({ double }) => double.faults.clear(),
  'POST /slow-down': ({ double }, body) => double.faults.slowDown(SlowBody.parse(body).milliseconds),
  'POST /limit-bandwidth': ({ double }, body) =>
    double.faults.limitBandwidth(BandwidthBody.parse(body).bytes_per_second),
  'POST /stall-subscriptions': ({ double }) => double.faults.stallSubscriptions(),
  'POST /end-subscriptions': ({ double }) => double.endSubscriptions(),
  'POST /drop-connections': ({ double }) => double.dropConnections(),
  'POST /lose-tail': ({ double }, body) => double.loseTail(TailBody.parse(body).events),
  'POST /backup': async ({ double, backups }, body) => {
    backups.set(BackupBody.parse(body).name, await double.backup());
  },
  'POST /users': ({ double }, body) => double.setUsers(UsersBody.parse(body).users),
  'POST /truncate-and-exit': async ({ double, exit }, body) => {
    await double.loseTail(TailBody.parse(body).events);
    exit();
  },
  'POST /stop': ({ double }) => double.stop(),
  'POST /start': start,
  'GET /': () => undefined,
};

const stateOf = (double: EventStoreDouble) => ({
  version: SERVER_VERSION,
  url: double.url,
  events: double.size(),
  running: double.isRunning(),
});

const bodyOf = async (request: IncomingMessage): Promise<unknown> =>
  Number(request.headers['content-length'] ?? 0) > 0 ? json(request) : {};

/** Answers the status and what to say: the state of the double, or what is wrong with the request. */
const respond = async (controlled: Controlled, request: IncomingMessage): Promise<[number, unknown]> => {
  const action = ACTIONS[`${request.method} ${request.url}`];
  if (action === undefined) return [404, { error: 'no such action', actions: Object.keys(ACTIONS) }];
  try {
    await action(controlled, await bodyOf(request));
    return [200, stateOf(controlled.double)];
  } catch (error) {
    if ([z.ZodError, SyntaxError, RangeError].some((mistake) => error instanceof mistake))
      return [400, { error: String(error) }];
    throw error;
  }
};

/** The same switches over HTTP, for a double in a process of its own. Every answer is the state after the action. */
export const startControl = async (
  double: EventStoreDouble,
  { port, exit }: { port: number; exit(): void },
): Promise<{ port: number; close(): Promise<void> }> => {
  const controlled = { double, backups: new Map<string, Backup>(), exit: () => setImmediate(exit) };
  const server = createServer((request, response) => {
    respond(controlled, request)
      .catch((error: unknown): [number, unknown] => [500, { error: String(error) }])
      .then(([status, body]) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      });
  });
  server.listen(port, HOST);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
};
