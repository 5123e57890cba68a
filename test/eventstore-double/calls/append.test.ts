import { MaxAppendSizeExceededError, WrongExpectedVersionError } from '@eventstore/db-client';
import { expect } from 'chai';
import { failureOf } from '../../failure-of.ts';
import { createEventStoreDouble, type EventStoreDouble } from '../double.ts';
import { anEvent, type Connected, connect, listed, reconnecting, withDouble } from '../opened.ts';

for (const batchAppend of [true, false]) {
  describe(`The EventStoreDB double takes appends over ${batchAppend ? 'BatchAppend' : 'Append'}`, () => {
    let double: EventStoreDouble;
    let connected: Connected;
    let n = 0;
    let stream = '';

    before(async () => {
      double = await createEventStoreDouble({ batchAppend });
      connected = connect(double.url);
    });
    beforeEach(() => {
      n += 1;
      stream = `thing-${n}`;
    });
    after(async () => {
      await connected.dispose();
      await double.close();
    });

    const conflict = async (promise: Promise<unknown>): Promise<unknown[]> => {
      const error = await failureOf(promise);
      expect(error).to.be.instanceOf(WrongExpectedVersionError);
      const { streamName, expectedVersion, actualVersion } = error as WrongExpectedVersionError;
      expect(streamName).to.equal(stream);
      return [expectedVersion, actualVersion];
    };

    it('counts revisions from 0 and answers the revision and position of the last event', async () => {
      const first = await connected.append(stream, [anEvent(), anEvent()], 'no_stream');
      const second = await connected.append(stream, anEvent(), 1n);
      expect([first.nextExpectedRevision, second.nextExpectedRevision]).to.deep.equal([1n, 2n]);
      const positions: unknown[] = [];
      for await (const { event } of connected.client.readStream(stream)) positions.push(event?.position);
      expect([first.position, second.position]).to.deep.equal([positions[1], positions[2]]);
    });

    it('gives every event a position of its own that grows', async () => {
      await connected.append(stream, [anEvent(), anEvent(), anEvent()]);
      const positions: bigint[] = [];
      for await (const { event } of connected.client.readAll()) positions.push(event?.position?.commit ?? 0n);
      expect(positions).to.deep.equal([...new Set(positions)].sort((a, b) => (a < b ? -1 : 1)));
    });

    it('keeps data, metadata, type, id and the time of the append', async () => {
      const event = { ...anEvent(7), metadata: { why: 'ünïcode' } };
      const from = Date.now();
      await connected.append(stream, event);
      for await (const { event: read } of connected.client.readStream(stream)) {
        expect(read).to.include({ id: event.id, type: event.type, isJson: true, streamId: stream });
        expect([read?.data, read?.metadata]).to.deep.equal([event.data, event.metadata]);
        expect(read?.created.getTime()).to.be.within(from, Date.now());
      }
    });

    it('refuses what does not fit the expected revision and tells the actual one', async () => {
      expect(await conflict(connected.append(stream, anEvent(), 0n))).to.deep.equal([0n, 'no_stream']);
      expect(await conflict(connected.append(stream, anEvent(), 'stream_exists'))).to.deep.equal([
        'stream_exists',
        'no_stream',
      ]);
      await connected.append(stream, [anEvent(), anEvent()], 'no_stream');
      expect(await conflict(connected.append(stream, anEvent(), 'no_stream'))).to.deep.equal(['no_stream', 1n]);
      expect(await conflict(connected.append(stream, anEvent(), 0n))).to.deep.equal([0n, 1n]);
      expect(await conflict(connected.append(stream, anEvent(), 5n))).to.deep.equal([5n, 1n]);
    });

    it('answers a repeat at the same place as the first time and adds nothing', async () => {
      const events = [anEvent(), anEvent()];
      const first = await connected.append(stream, events, 'no_stream');
      await connected.append(stream, anEvent(), 1n);
      expect(await connected.append(stream, events, 'no_stream')).to.deep.equal(first);
      expect(await connected.append(stream, events.slice(1), 0n)).to.deep.equal(first);
      expect(await listed(connected.client.readStream(stream))).to.have.length(3);
    });

    it('refuses a repeat that is equal in part only', async () => {
      const events = [anEvent(), anEvent()];
      await connected.append(stream, events, 'no_stream');
      expect(await conflict(connected.append(stream, [...events, anEvent()], 'no_stream'))).to.deep.equal([
        'no_stream',
        1n,
      ]);
      expect(await conflict(connected.append(stream, [...events, anEvent()], 'any'))).to.deep.equal(['any', 1n]);
    });

    it('takes a repeat without its place for a new write only where its ids are not known', async () => {
      const event = anEvent();
      const first = await connected.append(stream, event);
      await connected.append(stream, anEvent());
      expect(await connected.append(stream, event)).to.deep.equal(first);
      expect(await connected.append(stream, event, 'stream_exists')).to.deep.equal(first);
      await connected.append(`${stream}-other`, event);
      expect(await listed(connected.client.readStream(`${stream}-other`))).to.have.length(1);
    });

    it('refuses an append that is too large and writes nothing of it', async () => {
      const large = Array.from({ length: 3 }, () => ({ ...anEvent(), data: { text: 'x'.repeat(400_000) } }));
      const error = await failureOf(connected.append(stream, large));
      expect(error)
        .to.be.instanceOf(MaxAppendSizeExceededError)
        .and.include({ maxAppendSize: 1024 * 1024 });
      expect((await connected.append(stream, large.slice(1), 'no_stream')).success).to.equal(true);
    });
  });
}

describe('The EventStoreDB double forgets ids', () => {
  it('that were written long ago, so that a repeat with any is written twice', () =>
    withDouble({ recentEventsBytes: 200 }, async ({ append, client }) => {
      const event = anEvent();
      await append('a', event);
      for (let n = 0; n < 10; n += 1) await append('b', anEvent(n));
      expect((await append('a', event)).nextExpectedRevision).to.equal(1n);
      expect(await listed(client.readStream('a'))).to.have.length(2);
    }));

  it('when it restarts, but never those at the expected place', () =>
    withDouble({}, async ({ append, double }) => {
      const event = anEvent();
      await append('a', event, 'no_stream');
      await double.start();
      const again = await reconnecting(() => append('a', event, 'no_stream'));
      expect(again.nextExpectedRevision).to.equal(0n);
      expect((await append('a', event)).nextExpectedRevision).to.equal(1n);
    }));
});

describe('The EventStoreDB double takes many appends at once', () => {
  it('gathers an append that comes in several messages', () =>
    withDouble({}, async ({ client }) => {
      const events = Array.from({ length: 20 }, (_, n) => ({ ...anEvent(n), data: { text: 'x'.repeat(1000) } }));
      const appended = await client.appendToStream('s', events, { batchAppendSize: 4000 });
      expect(appended.nextExpectedRevision).to.equal(19n);
    }));

  it('lets one of many that expect the same revision win', () =>
    withDouble({}, async ({ append }) => {
      const results = await Promise.allSettled(
        Array.from({ length: 20 }, (_, n) => append('s', anEvent(n), 'no_stream')),
      );
      expect(results.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
    }));
});
