import { jsonEvent } from '@eventstore/db-client';
import { expect } from 'chai';
import type { Log } from '../../../src/ports/log.ts';
import { anEvent, collect, isEvent } from '../../contract/log.ts';
import { createEventStoreDouble, type EventStoreDouble } from '../../eventstore-double/double.ts';
import { type Connected, connect } from '../../eventstore-double/opened.ts';
import { eventually } from '../../eventually.ts';
import { createLogs, everything } from './fixture.ts';

const LARGE = 'x'.repeat(900_000);
const SILENCE = 300;
/** Large events in two pages of 4 MiB, each with the messages that wait in the double for the connection. */
const IN_TWO_PAGES = 2 * (5 + 16);

describe('reading from a slow EventStoreDB, or large events', () => {
  let double: EventStoreDouble;
  let log: Log;
  let foreign: Connected;
  const logs = createLogs();
  const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, n) => from + n);
  const numbersIn = (events: readonly { data: unknown }[]) => events.map(({ data }) => data);

  beforeEach(async () => {
    double = await createEventStoreDouble();
    log = await logs.open(double.url, { silence: SILENCE });
    foreign = connect(double.url);
  });
  afterEach(async () => {
    double.faults.clear();
    await foreign.dispose();
    await logs.close();
    await double.close();
  });

  const appendOurs = (count: number) =>
    log.append(
      'thing-1',
      numbers(count).map((n) => anEvent(n)),
      { expected: 'none' },
    );
  const appendLarge = async (count: number) => {
    for (const n of numbers(count)) await log.append(`large-${n}`, [anEvent({ n, LARGE })], { expected: 'none' });
  };
  const appendLargeOfOthers = async (count: number) => {
    for (const n of numbers(count))
      await foreign.client.appendToStream(`theirs-${n}`, jsonEvent({ type: 'Theirs', data: { n, LARGE } }));
  };

  /** Tells of each message that the double sends, before it does. */
  const onSending = (listener: () => void): void => {
    const { pause } = double.faults;
    double.faults.pause = (...message: Parameters<typeof pause>) => {
      listener();
      return pause(...message);
    };
  };

  it('takes the time that a page needs, as long as something comes', async () => {
    await appendOurs(300);
    // The page takes five times as long as the silence that is borne.
    double.faults.slowDown(5);
    expect(numbersIn(await everything(log))).to.deep.equal(numbers(300));
    expect(numbersIn(await collect(log.readStream('thing-1')))).to.deep.equal(numbers(300));
  });

  it('keeps what has come when the connection breaks again and again in the middle of a page', async () => {
    await appendOurs(300);
    let sent = 0;
    onSending(() => {
      sent += 1;
      if (sent % 100 === 0) double.dropConnections();
    });
    double.faults.slowDown(1);
    expect(numbersIn(await everything(log))).to.deep.equal(numbers(300));
    expect(numbersIn(await collect(log.readStream('thing-1')))).to.deep.equal(numbers(300));
  });

  it('has no more than two pages in memory, however large their events are', async () => {
    await appendLarge(40);
    for (const n of numbers(39)) await log.append('large-0', [anEvent({ n, LARGE })], { expected: n });
    let sent = 0;
    onSending(() => {
      sent += 1;
    });
    for (const begin of [
      () => log.subscribe({ after: 'start', live: false })[Symbol.asyncIterator](),
      () => log.readStream('large-0')[Symbol.asyncIterator](),
    ]) {
      sent = 0;
      const reader = begin();
      await reader.next();
      let [same, before] = [0, -1];
      await eventually('nothing more is sent to a reader that stands still', () => {
        same = sent === before ? same + 1 : 0;
        before = sent;
        return same === 10;
      });
      expect(sent).to.be.within(5, IN_TWO_PAGES);
      await reader.return?.();
    }
    expect(await everything(log)).to.have.length(79);
  });

  for (const streamPrefixes of [undefined, ['thing-', 'large-']])
    it(`starts, reads and follows beside large events of others, which are ${streamPrefixes ? 'known' : 'not known'}`, async () => {
      await appendOurs(3);
      await appendLargeOfOthers(7);
      await appendLarge(5);
      await appendLargeOfOthers(7);
      await logs.close();
      // A page takes a second and a half, one of the events less than the silence that is borne.
      double.faults.limitBandwidth(9_000_000);
      log = await logs.open(double.url, { silence: SILENCE, ...(streamPrefixes && { streamPrefixes }) });
      let seen = 0;
      for await (const item of log.subscribe({ after: 'start', live: true })) {
        if (isEvent(item)) seen += 1;
        else if (seen === 8) await log.append('thing-2', [anEvent({ LARGE })], { expected: 'any' });
        if (seen === 9) break;
      }
      expect(await collect(log.readStream('large-3'))).to.have.length(1);
    });

  it('waits longer each time for an event that takes longer than the silence that is borne', async () => {
    await appendLarge(1);
    double.faults.limitBandwidth(2_000_000);
    expect(await everything(log)).to.have.length(1);
  });
});
