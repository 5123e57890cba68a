import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createCallbackOutbox } from '../../../src/local/service/callback.ts';
import { messageOf } from '../../../src/local/service/message.ts';
import { type Receiver, silent, startReceiver } from '../receiver.ts';

const messageTo = (workflow_id: string, event: string) =>
  messageOf(
    { source: 'budcluster', source_topic: 'budClusterMessages' },
    { name: 'bud-internal', subscriber_ids: 'u', workflow_id },
    { type: 'deploy_model', event, title: 't', message: 'm', status: 'COMPLETED' },
  );
const eventsOf = (receiver: Receiver, workflow: string) =>
  receiver.received.filter(({ payload }) => payload?.workflow_id === workflow).map(({ payload }) => payload?.event);

describe('callback outbox', () => {
  let dir: string;
  let receiver: Receiver;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'outbox-'));
    receiver = await startReceiver();
  });
  afterEach(async () => {
    await receiver.close();
    await rm(dir, { recursive: true, force: true });
  });
  const open = () => createCallbackOutbox({ dir, callback: receiver.callback, log: silent });

  it('delivers the messages of a workflow in order, with the token, and keeps none', async () => {
    const outbox = await open();
    await Promise.all(['a', 'b', 'c', 'd'].map((event) => outbox.publish(messageTo('w', event))));
    await receiver.until((messages) => messages.length === 4);
    await outbox.close();
    expect(eventsOf(receiver, 'w')).to.deep.equal(['a', 'b', 'c', 'd']);
    expect(new Set(receiver.tokens)).to.deep.equal(new Set(['the-token']));
    // The last answer may have been cut off by closing; then its message is kept, else nothing is.
    expect((await readdir(dir)).length).to.be.at.most(1);
  });

  it('delivers again on RETRY, and holds back later messages of that workflow only', async () => {
    let refusals = 2;
    receiver.answerWith(({ payload }) => ({
      status: 200,
      body: { status: payload?.workflow_id === 'slow' && refusals-- > 0 ? 'RETRY' : 'SUCCESS' },
    }));
    const outbox = await open();
    await outbox.publish(messageTo('slow', 'a'));
    await outbox.publish(messageTo('slow', 'b'));
    await outbox.publish(messageTo('quick', 'a'));
    await receiver.until((messages) => messages.some(({ payload }) => payload?.event === 'b'));
    await outbox.close();
    expect(eventsOf(receiver, 'slow')).to.deep.equal(['a', 'a', 'a', 'b']);
    const order = receiver.received.map(({ payload }) => payload?.workflow_id);
    expect(order.indexOf('quick')).to.be.lessThan(order.lastIndexOf('slow'));
  });

  for (const [what, status, body] of [
    ['an error', 500, { status: 'SUCCESS' }],
    ['an answer without a status', 200, {}],
  ] as const) {
    it(`delivers again on ${what}`, async () => {
      let failures = 1;
      receiver.answerWith(() => (failures-- > 0 ? { status, body } : { status: 200, body: { status: 'SUCCESS' } }));
      const outbox = await open();
      await outbox.publish(messageTo('w', 'a'));
      await receiver.until((messages) => messages.length === 2);
      await outbox.close();
    });
  }

  for (const [what, status, body] of [
    ['DROP', 200, { status: 'DROP' }],
    ['404', 404, {}],
  ] as const) {
    it(`goes on to the next message on ${what}`, async () => {
      receiver.answerWith(() => ({ status, body }));
      const outbox = await open();
      await outbox.publish(messageTo('w', 'a'));
      await outbox.publish(messageTo('w', 'b'));
      await receiver.until((messages) => messages.length === 2);
      await outbox.close();
      expect(eventsOf(receiver, 'w')).to.deep.equal(['a', 'b']);
    });
  }

  it('keeps what could not be delivered over a restart, in order, and clears half-written files', async () => {
    receiver.answerWith(() => ({ status: 200, body: { status: 'RETRY' } }));
    const before = await open();
    await before.publish(messageTo('w', 'a'));
    await before.publish(messageTo('w', 'b'));
    await receiver.until((messages) => messages.length > 0);
    await before.close();
    await writeFile(join(dir, '000000000009.message.json.part'), '{"hal');
    receiver.received.length = 0;
    receiver.answerWith(() => ({ status: 200, body: { status: 'SUCCESS' } }));
    const after = await open();
    await after.publish(messageTo('w', 'c'));
    await receiver.until((messages) => messages.length === 3);
    await after.close();
    expect(eventsOf(receiver, 'w')).to.deep.equal(['a', 'b', 'c']);
    expect(await readdir(dir)).not.to.include('000000000009.message.json.part');
  });
});
