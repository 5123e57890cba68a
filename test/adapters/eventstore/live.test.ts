import { setTimeout as delay } from 'node:timers/promises';
import { binaryEvent, jsonEvent } from '@eventstore/db-client';
import { expect } from 'chai';
import { EventStoreClient } from '../../../src/adapters/eventstore/client.ts';
import { toServerPosition } from '../../../src/adapters/eventstore/row.ts';
import { Rejected } from '../../../src/errors.ts';
import type { Position, RecordedEvent } from '../../../src/events/event.ts';
import type { CaughtUp, Log } from '../../../src/ports/log.ts';
import { anEvent, collect, isEvent } from '../../contract/log.ts';
import { createEventStoreDouble, type EventStoreDouble } from '../../eventstore-double/double.ts';
import { type Connected, connect, reconnecting } from '../../eventstore-double/opened.ts';
import { failureOf } from '../../failure-of.ts';
import { createLogs, everything, listeningLogger, PATIENT } from './fixture.ts';

describe('reading from EventStoreDB', () => {
  let double: EventStoreDouble;
  let log: Log;
  let foreign: Connected;
  const logs = createLogs();
  const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, n) => from + n);

  beforeEach(async () => {
    double = await createEventStoreDouble();
    log = await logs.open(double.url);
    foreign = connect(double.url);
  });
  afterEach(async () => {
    double.faults.clear();
    await foreign.dispose();
    await logs.close();
    await double.close();
  });

  const append = (...data: unknown[]) =>
    log.append(
      'thing-1',
      data.map((item) => anEvent(item)),
      { expected: 'any' },
    );

  /** Reads live until so many events have come; `onCaughtUp` is told each time there is nothing more. */
  const readLive = async (
    count: number,
    onCaughtUp: (seen: number) => void | Promise<void> = () => undefined,
    reader: AsyncIterable<RecordedEvent | CaughtUp> = log.subscribe({ after: 'start', live: true }),
  ): Promise<RecordedEvent[]> => {
    const seen: RecordedEvent[] = [];
    for await (const item of reader) {
      if (isEvent(item)) seen.push(item);
      else {
        // Whoever keeps this position has handled everything up to it: the client's own `caughtUp` would come too early.
        expect(item.position).to.equal(seen.at(-1)?.position ?? null);
        await onCaughtUp(seen.length);
      }
      if (seen.length >= count) break;
    }
    return seen;
  };
  const dataOf = (events: readonly RecordedEvent[]): unknown[] => events.map(({ data }) => data);

  const breaks: Record<string, () => void | Promise<void>> = {
    'its connection is cut': () => double.dropConnections(),
    // The client reports nothing then, and never subscribes again by itself.
    'its subscription ends plainly': () => double.endSubscriptions(),
    'its subscription falls silent': () => double.faults.stallSubscriptions(),
    'the server is away for a while': async () => {
      await double.stop();
      setTimeout(() => double.start(), 100);
    },
    'its new subscription stays silent, too': () => {
      double.faults.inject('subscription', 'mute', { times: 2 });
      double.endSubscriptions();
    },
  };
  for (const kind of ['drop', 'end', 'not-leader', 'not-ready'] as const)
    breaks[`subscribing fails at first: ${kind}`] = () => {
      double.faults.inject('subscription', kind, { times: 2 });
      double.endSubscriptions();
    };
  for (const [what, cause] of Object.entries(breaks))
    it(`goes on live without gap or repeat when ${what}`, async () => {
      // Looking whether something is missing would make up for all of them, later: it must do so for the last resort only.
      log = await logs.open(double.url, { ...PATIENT, ...(what.includes('silent') ? { watchInterval: 50 } : {}) });
      let next = 0;
      const events = await readLive(6, async (seen) => {
        if (seen !== next) return;
        if (seen === 2 || seen === 4) {
          await cause();
          if (seen === 4) double.faults.clear();
        }
        await append(next, next + 1);
        next += 2;
      });
      expect(dataOf(events)).to.deep.equal(numbers(6));
    });

  it('says once that the subscription is lost and once that it works again, with the setting to look at', async () => {
    const { lines, logger } = listeningLogger();
    log = await logs.open(double.url, { ...PATIENT, logger });
    lines.length = 0;
    await readLive(2, async (seen) => {
      if (seen === 1) {
        double.faults.inject('subscription', 'drop', { times: 3 });
        double.endSubscriptions();
      }
      await append(seen);
    });
    expect(lines.filter(({ msg }) => msg.includes('subscription')).map(({ level }) => level)).to.deep.equal([40]);
    expect(lines.filter(({ level }) => level === 30)).to.have.length(1);
    for (const { msg } of lines) expect(msg).to.include('EVENTSTORE_URL');
  });

  it('resumes after the last event that it has handed on, not from the start', async () => {
    log = await logs.open(double.url, PATIENT);
    const asked: unknown[] = [];
    const { consume } = EventStoreClient.prototype;
    EventStoreClient.prototype.consume = function (request, use) {
      const options = request.getOptions();
      const position = options?.getAll()?.getPosition();
      if (options?.hasSubscription()) asked.push(position ? BigInt(position.getCommitPosition()) : 'start');
      return consume.call(this, request, use as never) as never;
    };
    try {
      const events = await readLive(3, async (seen) => {
        if (seen === 2) double.endSubscriptions();
        await append(seen);
      });
      expect(asked).to.deep.equal(['start', toServerPosition(events[1]!.position).commit]);
    } finally {
      EventStoreClient.prototype.consume = consume;
    }
  });

  it('does not assail a server that takes no subscription', async () => {
    let subscriptions = 0;
    const { take } = double.faults;
    double.faults.take = (call) => {
      if (call === 'subscription') subscriptions += 1;
      return take(call);
    };
    double.faults.inject('subscription', 'drop');
    const events = readLive(1);
    // With pauses of 12, 25, 50, 100, 200 and 400 ms at the least these are six.
    await delay(600);
    expect(subscriptions).to.be.at.most(16);
    double.faults.clear();
    await append(0);
    expect(dataOf(await events)).to.deep.equal([0]);
  });

  it('needs one subscription, however many read live', async () => {
    log = await logs.open(double.url, PATIENT);
    let subscriptions = 0;
    const { take } = double.faults;
    double.faults.take = (call) => {
      if (call === 'subscription') subscriptions += 1;
      return take(call);
    };
    await append(...numbers(10));
    const readers = numbers(50).map(() => readLive(20));
    await append(...numbers(10, 10));
    for (const events of await Promise.all(readers)) expect(dataOf(events)).to.deep.equal(numbers(20));
    expect(subscriptions).to.equal(1);
  });

  it('lets a reader that is far behind the others go back to the log', async () => {
    const slow = log.subscribe({ after: 'start', live: true })[Symbol.asyncIterator]();
    expect((await slow.next()).value).to.deep.equal({ caughtUp: true, position: null });
    // More than the process keeps of what is new.
    const fast = readLive(9000);
    for (const round of numbers(18)) {
      const events = numbers(500, round * 500).map((n) => anEvent(n));
      await log.append('thing-1', events, { expected: round === 0 ? 'none' : round * 500 - 1 });
    }
    await fast;
    const seen: unknown[] = [];
    while (seen.length < 9000) {
      const { value } = await slow.next();
      if (value && isEvent(value)) seen.push(value.data);
    }
    expect(seen).to.deep.equal(numbers(9000));
    await slow.return?.();
  }).timeout(300_000);

  it('is stopped neither by a read that nobody answers nor by one that is cut off', async () => {
    log = await logs.open(double.url, { silence: 500 });
    await append(...numbers(10));
    for (const kind of ['mute', 'drop', 'not-leader', 'not-ready'] as const) {
      double.faults.inject('read', kind, { times: 2 });
      expect(dataOf(await everything(log))).to.deep.equal(numbers(10));
      double.faults.inject('read', kind, { times: 2 });
      expect(dataOf(await collect(log.readStream('thing-1')))).to.deep.equal(numbers(10));
    }
  });

  it('reads a page again that ends plainly before its end, and takes nothing for lost by that', async () => {
    const { position } = await append(...numbers(5));
    await append(...numbers(5, 5));
    let reads = 0;
    const { take } = double.faults;
    double.faults.take = (call) => {
      if (call === 'read') reads += 1;
      // The first one looks how far the log goes.
      return call === 'read' && reads === 2 ? { kind: 'end', written: false } : take(call);
    };
    for (const after of ['start', position] as const) {
      reads = 0;
      const items = await collect(log.subscribe({ after, live: false }));
      expect(dataOf(items.filter(isEvent))).to.deep.equal(after === 'start' ? numbers(10) : numbers(5, 5));
      expect(reads).to.equal(3);
    }
  });

  it('is refused as unavailable, in time, where it is not live and nobody answers', async () => {
    log = await logs.open(double.url, { timeout: 300, silence: 200 });
    double.faults.inject('read', 'mute');
    for (const read of [() => log.head(), () => everything(log), () => collect(log.readStream('thing-1'))]) {
      const error = await failureOf(read());
      expect(error).to.be.instanceOf(Rejected).and.include({ kind: 'unavailable', code: 'log-unavailable' });
    }
  });

  it('leaves no call open behind readers that stop in the middle', async () => {
    const disposed: Promise<void>[] = [];
    const { close } = EventStoreClient.prototype;
    EventStoreClient.prototype.close = function () {
      disposed.push(this.dispose());
      return close.call(this);
    };
    for (const round of numbers(10))
      await log.append(
        `thing-${round}`,
        numbers(500).map((n) => anEvent(n)),
        { expected: 'none' },
      );
    for (const delay of numbers(20)) {
      const stopping = new AbortController();
      setTimeout(() => stopping.abort(), delay);
      for await (const item of log.subscribe({ after: 'start', live: true, signal: stopping.signal }))
        if (isEvent(item) && delay % 2 === 0) break;
    }
    // Each client waits for every call of its own that was not read to its end, for ever; the log does so no longer than it likes.
    await log.close().finally(() => {
      EventStoreClient.prototype.close = close;
    });
    expect(disposed).to.have.length(2);
    await Promise.all(disposed);
  });

  it('ends as it is told, and with nothing unhandled, where it waits for an answer', async () => {
    await append(0);
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on('unhandledRejection', note);
    try {
      double.faults.inject('read', 'mute');
      const stopping = new AbortController();
      const reading = collect(log.subscribe({ after: 'start', live: true, signal: stopping.signal }));
      await delay(50);
      stopping.abort();
      expect(await reading).to.deep.equal([]);
      double.faults.clear();
      await readLive(1);
      await log.close();
      await delay(10);
      expect(unhandled).to.deep.equal([]);
    } finally {
      process.off('unhandledRejection', note);
    }
  });

  it('passes over what is not ours, wherever it stands', async () => {
    await append(1);
    const { client } = foreign;
    await client.appendToStream('theirs', [
      jsonEvent({ type: 'Theirs', data: { n: 1 } }),
      jsonEvent({ type: 'Theirs', data: { n: 2 }, metadata: { at: 'noon', version: 'one', meta: null } }),
      binaryEvent({ type: 'Theirs', data: Buffer.from([0, 255]), metadata: Buffer.from([1, 2]) }),
      jsonEvent({ type: '$theirs', data: {} }),
    ]);
    await client.setStreamMetadata('thing-1', { maxCount: 1000 });
    await client.appendToStream('thing-1', [binaryEvent({ type: 'Strange', data: Buffer.from('{') })]);
    const events = await readLive(2, async (seen) => {
      if (seen === 1) await append(2);
    });
    expect(dataOf(events)).to.deep.equal([1, 2]);
    expect(events.map(({ revision }) => revision)).to.deep.equal([0, 2]);
    expect(await log.head()).to.equal(events[1]?.position);
    expect(dataOf(await collect(log.readStream('thing-1')))).to.deep.equal([1, 2]);
    expect(dataOf(await collect(log.readStream('thing-1', { backwards: true })))).to.deep.equal([2, 1]);
    expect(dataOf(await collect(log.readStream('thing-1', { limit: 2 })))).to.deep.equal([1, 2]);
    expect(await collect(log.readStream('theirs'))).to.deep.equal([]);
  });

  it('reports no position before its event, though the server sends checkpoints of other events', async () => {
    log = await logs.open(double.url, PATIENT);
    const others = () => numbers(50).map((n) => jsonEvent({ type: n % 2 === 0 ? 'Theirs' : '$theirs', data: { n } }));
    let next = 0;
    // What is handed on is looked at in `readLive`.
    const events = await readLive(6, async (seen) => {
      if (seen !== next) return;
      next += 1;
      await append(seen);
      await foreign.client.appendToStream('theirs', others());
      // For the checkpoints to come before anybody asks for more.
      await delay(50);
    });
    expect(dataOf(events)).to.deep.equal(numbers(6));
  });

  it('finds the newest of our events behind thousands that are not ours', async () => {
    const { position } = await append(1);
    // With ids of their own each time: they would be taken for a repeat otherwise.
    const appendTheirs = () =>
      foreign.client.appendToStream(
        'theirs',
        numbers(3000).map((n) => jsonEvent({ type: 'Theirs', data: { n } })),
      );
    await appendTheirs();
    expect(await log.head()).to.equal(position);
    await appendTheirs();
    // What was passed over once is not read again.
    expect(await log.head()).to.equal(position);
    const later = await append(2);
    expect(await log.head()).to.equal(later.position);
  });

  it('reports the position before a deleted stream, and continues after it', async () => {
    await append(1);
    await log.append('thing-2', [anEvent(2)], { expected: 'none' });
    await append(3);
    await foreign.client.deleteStream('thing-2');
    expect(await collect(log.readStream('thing-2'))).to.deep.equal([]);
    expect(dataOf(await everything(log))).to.include.members([1, 3]);
  });

  describe('a log that has lost its end', () => {
    it('stops live readers that have read further, and says so', async () => {
      const { lines, logger } = listeningLogger();
      log = await logs.open(double.url, { logger });
      await append(...numbers(5));
      const reading = failureOf(
        readLive(6, async (seen) => {
          if (seen === 5) await double.loseTail(2);
        }),
      );
      const error = await reading;
      expect(error).to.be.instanceOf(Rejected).and.include({ kind: 'invalid', code: 'unknown-position' });
      expect(lines.filter(({ level }) => level === 50)).to.have.length(1);
    });

    it('refuses positions beyond its end, also when it has grown past them since', async () => {
      const before = await append(...numbers(5));
      await double.loseTail(2);
      const after = (position: Position, live: boolean) => collect(log.subscribe({ after: position, live }));
      for (const refill of [0, 10]) {
        for (const n of numbers(refill)) await append('x'.repeat(n));
        for (const live of [false, true]) {
          const error = await failureOf(after(before.position, live));
          expect(error).to.be.instanceOf(Rejected).and.include({ code: 'unknown-position' });
        }
      }
      expect(dataOf(await everything(log)).slice(0, 3)).to.deep.equal(numbers(3));
    });

    it('has its head where our newest event is then, though what follows it was passed over before', async () => {
      const appendTheirs = (count: number) =>
        reconnecting(() =>
          foreign.client.appendToStream(
            'theirs',
            numbers(count).map((n) => jsonEvent({ type: 'Theirs', data: { n } })),
          ),
        );
      const kept = await append(1);
      const lost = await append(2);
      await appendTheirs(20);
      expect(await log.head()).to.equal(lost.position);
      await double.loseTail(21);
      await appendTheirs(10);
      expect(await log.head()).to.equal(kept.position);
    });

    it('serves new readers from what is left', async () => {
      await append(...numbers(5));
      await readLive(5);
      await double.loseTail(2);
      const events = await readLive(4, async (seen) => {
        if (seen === 3) await append('new');
      });
      expect(dataOf(events)).to.deep.equal([0, 1, 2, 'new']);
      expect(await log.head()).to.equal(events[3]?.position);
    });
  });
});
