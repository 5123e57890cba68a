import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { END, NotLeaderError, START, UnavailableError } from '@eventstore/db-client';
import { status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { failureOf } from '../failure-of.ts';
import { anEvent, connect, listed, reconnecting, withDouble } from './opened.ts';

/** True where nothing comes for a while; the only way to see that something does not happen. */
const staysOpen = (promise: Promise<unknown>): Promise<boolean> =>
  Promise.race([promise.then(() => false), delay(150, true)]);

describe('The EventStoreDB double goes wrong on demand', () => {
  for (const written of [false, true]) {
    const what = written ? 'after it was written' : 'before it is written';

    it(`mutes an append ${what}`, () =>
      withDouble({}, async ({ append, double }) => {
        const struck = Promise.withResolvers<void>();
        double.faults.inject('append', 'mute', { times: 1, written, meanwhile: struck.resolve });
        const before = double.size();
        const muted = append('s', anEvent()).catch(() => undefined);
        await struck.promise;
        expect(await staysOpen(muted)).to.equal(true);
        expect(double.size() - before).to.equal(written ? 1 : 0);
        await append('other', anEvent());
      }));

    it(`drops the connection of an append ${what}`, () =>
      withDouble({}, async ({ append, double }) => {
        double.faults.inject('append', 'drop', { times: 1, written });
        const before = double.size();
        expect(await failureOf(append('s', anEvent()))).to.be.instanceOf(UnavailableError);
        expect(double.size() - before).to.equal(written ? 1 : 0);
      }));
  }

  it('answers not-leader as often as it is told', () =>
    withDouble({ batchAppend: false }, async ({ append, double }) => {
      double.faults.inject('append', 'not-leader', { times: 2 });
      const outcomes = [];
      for (let n = 0; n < 3; n += 1) outcomes.push(await failureOf(append('s', anEvent(n))));
      expect(outcomes.map((error) => error instanceof NotLeaderError)).to.deep.equal([true, true, false]);
      expect(outcomes[0]).to.deep.include({ leader: { address: double.host, port: double.port } });
    }));

  it('mutes, drops and refuses reads and new subscriptions', () =>
    withDouble({}, async ({ append, client, double }) => {
      await append('s', anEvent());
      const struck = Promise.withResolvers<void>();
      double.faults.inject('read', 'mute', { times: 1, meanwhile: struck.resolve });
      const muted = client.readStream('s');
      const data = once(muted, 'data');
      await struck.promise;
      expect(await staysOpen(data)).to.equal(true);
      await muted.cancel();
      double.faults.inject('read', 'not-ready', { times: 1 });
      expect(await failureOf(listed(client.readStream('s')))).to.be.instanceOf(UnavailableError);
      double.faults.inject('subscription', 'drop', { times: 1 });
      const dropped = client.subscribeToAll();
      expect(await new Promise((resolve) => dropped.on('error', resolve))).to.be.instanceOf(UnavailableError);
      expect(await listed(client.readStream('s'))).to.deep.equal(['s@0']);
    }));

  it('ends subscriptions plainly', () =>
    withDouble({}, async ({ client, double }) => {
      const subscription = client.subscribeToAll({ fromPosition: END });
      subscription.resume();
      await once(subscription, 'caughtUp');
      double.endSubscriptions();
      await once(subscription, 'end');
    }));

  it('stalls subscriptions without ending them', () =>
    withDouble({}, async ({ append, client, double }) => {
      const subscription = client.subscribeToAll({ fromPosition: END });
      const caughtUp = once(subscription, 'caughtUp');
      const event = once(subscription, 'data');
      await caughtUp;
      double.faults.stallSubscriptions();
      await append('s', anEvent());
      expect(await staysOpen(event)).to.equal(true);
      double.faults.clear();
      await event;
      await subscription.unsubscribe();
    }));

  it('slows answers down', () =>
    withDouble({}, async ({ append, client, double }) => {
      await append('s', [anEvent(), anEvent()]);
      double.faults.slowDown(60);
      const begin = performance.now();
      await append('s', anEvent());
      await listed(client.readStream('s'));
      expect(performance.now() - begin).to.be.at.least(4 * 60 - 20);
    }));

  it('sends no more bytes a second than it is told to, until all is well again', () =>
    withDouble({}, async ({ append, client, double }) => {
      const large = () => ({ ...anEvent(), data: { text: 'x'.repeat(10_000) } });
      await append('s', [large(), large(), large()]);
      double.faults.limitBandwidth(100_000);
      const begin = performance.now();
      await listed(client.readStream('s'));
      expect(performance.now() - begin).to.be.at.least(300 - 20);
      double.faults.limitBandwidth(1);
      const read = listed(client.readStream('s'));
      expect(await staysOpen(read)).to.equal(true);
      double.faults.clear();
      expect(await read).to.have.length(3);
    }));

  it('cuts all connections, and takes new ones', () =>
    withDouble({}, async ({ append, client, double }) => {
      const subscription = client.subscribeToAll({ fromPosition: START });
      const error = new Promise((resolve) => subscription.on('error', resolve));
      subscription.resume();
      await once(subscription, 'caughtUp');
      double.dropConnections();
      expect(await error).to.be.instanceOf(UnavailableError);
      expect((await append('s', anEvent())).nextExpectedRevision).to.equal(0n);
    }));

  it('loses the tail of its log, after which positions are given again', () =>
    withDouble({}, async ({ append, client, double }) => {
      await append('s', anEvent());
      const lost = await append('s', anEvent());
      await double.loseTail(1);
      const again = await reconnecting(() => append('s', anEvent(), 0n));
      expect([again.nextExpectedRevision, again.position]).to.deep.equal([1n, lost.position]);
      expect(await listed(client.readStream('s'))).to.deep.equal(['s@0', 's@1']);
    }));

  it('stops and comes back on the same port, with its log or without', () =>
    withDouble({}, async ({ append, double }) => {
      await append('s', anEvent());
      for (const log of ['keep', 'lose'] as const) {
        await double.stop();
        const away = connect(double.url);
        expect(await failureOf(away.append('s', anEvent()))).to.include({ code: status.UNAVAILABLE });
        await double.start(log);
        const back = connect(double.url);
        const { nextExpectedRevision } = await reconnecting(() => back.append('s', anEvent()));
        expect(nextExpectedRevision).to.equal(log === 'keep' ? 1n : 0n);
        await Promise.all([away.dispose(), back.dispose()]);
      }
    }));
});
