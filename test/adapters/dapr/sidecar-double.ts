import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';

const INVOKE = /^\/v1\.0\/invoke\/([^/]+)\/method(\/.*)$/;

/** What the sidecar says of itself to whoever shows the right token. */
const METADATA = { id: 'budapp', components: [{ name: 'statestore-redis', type: 'state.redis', version: 'v1' }] };

/**
 * Plays the parts of a sidecar that need no Redis: the token, the metadata, and invocation by passing on to `port` of
 * this machine. `test/systems/dapr.test.ts` holds the real one to the same.
 */
export const startSidecarDouble = async ({ token, service }: { token: string; service: { port: number } }) => {
  const pass = (url: string, incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const { method, headers } = incoming;
    const onward = send({ host: '127.0.0.1', port: service.port, path: url, method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing).on('close', () => answer.destroy());
    });
    onward.on('error', (error) => {
      const body = { errorCode: 'ERR_DIRECT_INVOKE', message: `failed to invoke: ${error.message}` };
      outgoing.writeHead(500, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
    incoming.pipe(onward);
  };
  const server = createServer((request, response) => {
    const [, app_id, path] = INVOKE.exec(request.url ?? '') ?? [];
    if (request.headers['dapr-api-token'] !== token) response.writeHead(401).end('invalid api token');
    else if (app_id !== undefined && path !== undefined) pass(path, request, response);
    else if (request.url === '/v1.0/metadata') response.end(JSON.stringify(METADATA));
    else response.writeHead(404).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    http_port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
