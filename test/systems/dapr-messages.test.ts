import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { pino } from 'pino';
import { type CallbackOutbox, createCallbackOutbox } from '../../src/local/service/callback.ts';
import { publishOver } from '../../src/local/service/delivery.ts';
import { messageOf } from '../../src/local/service/message.ts';
import { createDaprReceiver, type DaprReceiver } from './harness/dapr-receiver.ts';
import { keptPort } from './harness/ports.ts';
import type { System } from './harness/system.ts';
import { startDaprd } from './servers/daprd.ts';
import { startRedis } from './servers/redis.ts';

const tokens = { dapr_api_token: 'token-of-the-sidecars', app_api_token: 'token-of-the-application' };
const silent = pino({ level: 'silent' });

const aMessage = (workflow_id: string) =>
  messageOf(
    { source: 'budcluster', source_topic: 'budClusterMessages' },
    { name: 'bud-internal', subscriber_ids: 'u', workflow_id },
    { type: 'deploy_model', event: 'results', title: 't', message: 'm', status: 'COMPLETED', result: { a: [1, null] } },
  );

describe('messages over Dapr and Redis', function () {
  // What was answered with RETRY comes back after up to 15 seconds.
  this.timeout(60_000);
  let dir: string;
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let receiver: DaprReceiver;
  let outbox: CallbackOutbox;
  const sidecars: (System & { http_port: number })[] = [];

  const sidecarOf = async (app_id: string, app_port: number) => {
    const sidecar = await startDaprd({ dir, app_id, app_port, tokens, redis: redis.settings });
    sidecars.push(sidecar);
    return sidecar;
  };
  const outboxOver = (http_port: number) => {
    const sidecar = { http_port, api_token: tokens.dapr_api_token, pubsub_name: 'pubsub-redis', log: silent };
    return createCallbackOutbox({ dir: join(dir, 'outbox'), callback: { deliver: publishOver(sidecar) }, log: silent });
  };
  const publish = async (workflow_id: string) => {
    const message = aMessage(workflow_id);
    await outbox.publish(message);
    return message;
  };

  /** What the sender still has, on disk. */
  const keptIds = async (): Promise<unknown[]> => {
    const folder = join(dir, 'outbox');
    const files = (await readdir(folder)).filter((name) => name.endsWith('.json'));
    const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8').catch(() => null)));
    return texts.flatMap((text) => (text === null ? [] : [JSON.parse(text).message.id]));
  };

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'dapr-messages-'));
    redis = await startRedis({ dir, password: 'secret' });
    const port = await keptPort(dir, 'receiver');
    receiver = createDaprReceiver(port);
    // As a BudApp does that is still starting: the sidecar does not ask a second time.
    receiver.answerQuestionsWith(503);
    await receiver.start();
    await sidecarOf('budapp', port);
    const publisher = await sidecarOf('budcluster', await keptPort(dir, 'nobody'));
    outbox = await outboxOver(publisher.http_port);
  });
  beforeEach(() => receiver.answerWith(() => 'SUCCESS'));
  afterEach(() => redis.start());
  after(async () => {
    await outbox?.close();
    for (const sidecar of sidecars) await sidecar.close();
    await receiver?.stop();
    await redis?.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('arrive with their fields at the top and the token of the application, whatever it said while it started', async () => {
    const message = await publish('w');
    await receiver.until(() => receiver.deliveriesOf(message.id ?? '') === 1);
    const [delivery] = receiver.received;
    expect(receiver.questions).to.include('/dapr/subscribe');
    expect(delivery?.token).to.equal(tokens.app_api_token);
    expect(delivery?.message).to.deep.include(message);
  });

  it('come back after RETRY, and only then', async () => {
    const [refused, dropped, taken] = [aMessage('refused'), aMessage('dropped'), aMessage('taken')];
    let refusals = 1;
    receiver.answerWith((message) => {
      if (message.id === dropped.id) return 'DROP';
      return message.id === refused.id && refusals-- > 0 ? 'RETRY' : 'SUCCESS';
    });
    for (const message of [refused, dropped, taken]) await outbox.publish(message);
    await receiver.until(() => receiver.deliveriesOf(refused.id ?? '') === 2);
    expect(receiver.deliveriesOf(dropped.id ?? '')).to.equal(1);
    expect(receiver.deliveriesOf(taken.id ?? '')).to.equal(1);
  });

  it('wait for an application that was killed', async () => {
    await receiver.stop();
    const message = await publish('while it was down');
    await receiver.start();
    await receiver.until(() => receiver.deliveriesOf(message.id ?? '') > 0);
  });

  it('wait with their sender while Redis is down, and arrive once it is back', async () => {
    await redis.stop('kill');
    const message = await publish('while Redis was down');
    expect(await keptIds()).to.include(message.id);
    await redis.start();
    await receiver.until(() => receiver.deliveriesOf(message.id ?? '') > 0);
  });

  it('go on arriving after Redis has lost all of its data', async () => {
    await redis.command('flushall');
    const message = await publish('after the loss');
    await receiver.until(() => receiver.deliveriesOf(message.id ?? '') > 0);
  });
});
