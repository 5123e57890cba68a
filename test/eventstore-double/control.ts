import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { z } from 'zod';
import { SERVER_VERSION } from './discovery.ts';
import type { EventStoreDouble } from './double.ts';
import { HOST } from './listener.ts';

const FaultBody = z.object({
  call: z.enum(['append', 'read', 'subscription']),
  kind: z.enum(['mute', 'drop', 'end', 'not-leader', 'not-ready']),
  times: z.int().positive().optional(),
  written: z.boolean().optional(),
});
const SlowBody = z.object({ milliseconds: z.number().nonnegative() });
const TailBody = z.object({ events: z.int().nonnegative() });
const StartBody = z.object({ log: z.enum(['keep', 'lose']).default('keep') });

type Action = (double: EventStoreDouble, body: unknown) => void | Promise<void>;

/** What the control port can do; each takes its arguments as a JSON body. */
const ACTIONS: Readonly<Record<string, Action>> = {
  'POST /faults': ({ faults }, body) => {
    const { call, kind, times = Infinity, written = false } = FaultBody.parse(body);
    faults.inject(call, kind, { times, written });
  },
  'DELETE /faults': ({ faults }) => faults.clear(),
  'POST /slow-down': ({ faults }, body) => faults.slowDown(SlowBody.parse(body).milliseconds),
  'POST /stall-subscriptions': ({ faults }) => faults.stallSubscriptions(),
  'POST /end-subscriptions': (double) => double.endSubscriptions(),
  'POST /drop-connections': (double) => double.dropConnections(),
  'POST /lose-tail': (double, body) => double.loseTail(TailBody.parse(body).events),
  'POST /stop': (double) => double.stop(),
  'POST /start': (double, body) => double.start(StartBody.parse(body).log),
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
const respond = async (double: EventStoreDouble, request: IncomingMessage): Promise<[number, unknown]> => {
  const action = ACTIONS[`${request.method} ${request.url}`];
  if (action === undefined) return [404, { error: 'no such action', actions: Object.keys(ACTIONS) }];
  try {
    await action(double, await bodyOf(request));
    return [200, stateOf(double)];
  } catch (error) {
    if (error instanceof z.ZodError || error instanceof SyntaxError) return [400, { error: error.message }];
    throw error;
  }
};

/** The same switches over HTTP, for a double in a process of its own. Every answer is the state after the action. */
export const startControl = async (
  double: EventStoreDouble,
  port: number,
): Promise<{ port: number; close(): Promise<void> }> => {
  const server = createServer((request, response) => {
    respond(double, request)
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
