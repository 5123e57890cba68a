import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { pino } from 'pino';
import { publishOver } from '../../../src/local/service/delivery.ts';
import { messageOf } from '../../../src/local/service/message.ts';
import { bodyOf } from '../../contract/invoker.ts';

const message = messageOf(
  { source: 'budcluster', source_topic: 'budClusterMessages' },
  { name: 'bud-internal', subscriber_ids: 'u', workflow_id: 'w' },
  { type: 'deploy_model', event: 'results', title: 't', message: 'm', status: 'COMPLETED' },
);

/** A sidecar that answers each publishing with the next of these. */
const startSidecar = async (statuses: number[]) => {
  const published: { url: string | undefined; type: string | undefined; token: unknown; body: unknown }[] = [];
  const server = createServer(async (request, response) => {
    const { url, headers } = request;
    const body: unknown = JSON.parse(await bodyOf(request));
    published.push({ url, type: headers['content-type'], token: headers['dapr-api-token'], body });
    response.writeHead(statuses.shift() ?? 204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const lines: string[] = [];
  const log = pino({}, { write: (line) => lines.push(JSON.parse(line).msg) });
  const { port: http_port } = server.address() as AddressInfo;
  return {
    published,
    lines,
    deliver: publishOver({ http_port, api_token: 'token', pubsub_name: 'pubsub-redis', log }),
    close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()),
  };
};
const { signal } = new AbortController();

describe('delivery over pub/sub', () => {
  it('publishes the message as the CloudEvent that it is, with the token, and is done with a 2xx', async () => {
    const { published, deliver, close } = await startSidecar([204]);
    const settled = await deliver(message, signal);
    await close();
    expect(settled).to.equal(true);
    expect(published).to.deep.equal([
      {
        url: '/v1.0/publish/pubsub-redis/budAppMessages',
        type: 'application/cloudevents+json',
        token: 'token',
        body: JSON.parse(JSON.stringify(message)),
      },
    ]);
  });

  it('is not done with anything else, and says so once until it works again', async () => {
    const { lines, deliver, close } = await startSidecar([404, 401, 500, 204, 403]);
    const settled = [];
    for (let attempt = 0; attempt < 5; attempt += 1) settled.push(await deliver(message, signal));
    await close();
    settled.push(await deliver(message, signal));
    expect(settled).to.deep.equal([false, false, false, true, false, false]);
    expect(lines).to.deep.equal([lines[0], lines[1], lines[0]]);
    expect(lines[1]).to.contain('takes messages again');
    expect(lines[0]).to.contain('DAPR_HTTP_PORT').and.to.contain('DAPR_API_TOKEN').and.to.contain('DAPR_PUBSUB_NAME');
  });
});
