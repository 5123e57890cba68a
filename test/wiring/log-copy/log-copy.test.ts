import { expect } from 'chai';
import { createMemoryLog } from '../../../src/adapters/memory-log.ts';
import type { RecordedEvent } from '../../../src/events/event.ts';
import type { Log, LogImport } from '../../../src/ports/log.ts';
import {
  type CopyProgress,
  compareLogs,
  copyLog,
  fractionOf,
  LogsDiffer,
  TargetBehind,
} from '../../../src/wiring/log-copy/log-copy.ts';
import { anEvent, collect, isEvent } from '../../contract/log.ts';
import { aHistory } from '../../contract/log-import.ts';
import { failureOf } from '../../failure-of.ts';
import { createRespelledLog } from './respelled-log.ts';

const everything = async (log: Log): Promise<RecordedEvent[]> =>
  (await collect(log.subscribe({ after: 'start', live: false }))).filter(isEvent);

/** Ends in the middle: after `allowed` events nothing more gets through. */
const breakingAfter = (to: Log & LogImport, allowed: number): Log & LogImport => ({
  ...to,
  importEvents: async (events) => {
    await to.importEvents(events.slice(0, allowed));
    allowed -= events.length;
    if (allowed < 0) throw new Error('killed');
  },
});

describe('copying a log', () => {
  let from: Log & LogImport;
  let to: Log & LogImport;
  let history: RecordedEvent[];
  before(async () => {
    history = await aHistory(100);
  });
  beforeEach(async () => {
    from = createMemoryLog();
    await from.importEvents(history);
    to = createRespelledLog();
  });

  it('makes the same history: order, ids, revisions, times and everything in the events', async () => {
    expect(await copyLog({ from, to, batch: 7 })).to.include({ events: 100, copied: 100 });
    const positionless = ({ position: _, ...event }: RecordedEvent) => event;
    expect((await everything(to)).map(positionless)).to.deep.equal(history.map(positionless));
  });

  it('proves it: events, streams and a digest that does not depend on the positions', async () => {
    await copyLog({ from, to, batch: 7 });
    const compared = await compareLogs({ from, to });
    expect(compared).to.include({ events: 100, streams: 5, from: await from.head(), to: await to.head() });
    const { digest } = await compareLogs({ from: to, to: from });
    expect(compared.digest)
      .to.equal(digest)
      .and.match(/^[0-9a-f]{64}$/);
  });

  it('tells the positions of every event in both logs', async () => {
    await copyLog({ from, to, batch: 50 });
    const pairs: string[][] = [];
    await compareLogs({ from, to }, (...pair) => void pairs.push(pair));
    const [first, second] = [await everything(from), await everything(to)];
    expect(pairs).to.deep.equal(first.map(({ position }, n) => [position, second[n]!.position]));
  });

  it('goes on where it was killed, wherever that was, and adds nothing twice', async () => {
    for (const allowed of [0, 1, 13, 40, 99]) {
      const target = createRespelledLog();
      await failureOf(copyLog({ from, to: breakingAfter(target, allowed), batch: 10 }));
      const held = (await everything(target)).length;
      expect(await copyLog({ from, to: target, batch: 10 })).to.include({ events: 100, copied: 100 - held });
      expect(await compareLogs({ from, to: target })).to.include({ events: 100 });
    }
  });

  it('copies nothing the second time, and later only what is new', async () => {
    await copyLog({ from, to, batch: 10 });
    expect(await copyLog({ from, to, batch: 10 })).to.include({ events: 100, copied: 0 });
    await from.append('thing-1', [anEvent('new')], { expected: 'exists' });
    expect(await copyLog({ from, to, batch: 10 })).to.include({ events: 101, copied: 1 });
  });

  it('refuses a target that has other events, at the start or behind the same ones, and leaves it alone', async () => {
    await to.append('other-1', [anEvent()], { expected: 'none' });
    expect(await failureOf(copyLog({ from, to, batch: 10 }))).to.be.instanceOf(LogsDiffer);
    expect(await everything(to)).to.have.length(1);

    const ahead = createRespelledLog();
    await copyLog({ from, to: ahead, batch: 10 });
    await ahead.append('other-1', [anEvent()], { expected: 'none' });
    expect(await failureOf(copyLog({ from, to: ahead, batch: 10 }))).to.be.instanceOf(LogsDiffer);
    expect(await failureOf(compareLogs({ from, to: ahead }))).to.be.instanceOf(LogsDiffer);
  });

  it('notices an event that is not the same in both: its data, its meta, its time, its type', async () => {
    const changes: Partial<RecordedEvent>[] = [
      { data: { n: -1 } },
      { meta: { ...history[50]!.meta, command: 'DoSomethingElse' } },
      { at: '2026-01-01T00:00:00.000Z' },
      { type: 'OtherThingHappened' },
      { version: 2 },
    ];
    for (const change of changes) {
      const target = createRespelledLog();
      await target.importEvents(history.with(50, { ...history[50]!, ...change }));
      const failure = await failureOf(compareLogs({ from, to: target }));
      expect(failure).to.be.instanceOf(LogsDiffer);
      expect((failure as Error).message).to.include(history[50]!.id);
    }
  });

  it('tells a target that is behind from one that is different', async () => {
    await to.importEvents(history.slice(0, 60));
    expect(await failureOf(compareLogs({ from, to }))).to.be.instanceOf(TargetBehind);
  });

  it('follows a source that is being written to until it is stopped', async () => {
    const abort = new AbortController();
    const seen: CopyProgress[] = [];
    const reached = Promise.withResolvers<void>();
    const copying = copyLog({
      from,
      to,
      batch: 10,
      follow: true,
      signal: abort.signal,
      onProgress: (progress) => {
        seen.push(progress);
        if (progress.events === 100) void from.append('thing-1', [anEvent('late')], { expected: 'exists' });
        if (progress.events === 101) reached.resolve();
      },
    });
    await reached.promise;
    abort.abort();
    expect(await copying).to.include({ events: 101 });
    expect(await compareLogs({ from, to })).to.include({ events: 101 });
    expect(seen.map(({ events }) => events)).to.deep.equal(seen.map(({ events }) => events).toSorted((a, b) => a - b));
  });

  it('tells how far it is every few seconds, however slow the target', async () => {
    let clock = 0;
    const slow = createRespelledLog();
    const { importEvents } = slow;
    slow.importEvents = (events) => {
      clock += 400 * events.length;
      return importEvents(events);
    };
    const told: number[] = [];
    const onProgress = () => told.push(clock);
    expect(await copyLog({ from, to: slow, batch: 500, now: () => clock, onProgress })).to.include({ copied: 100 });
    const pauses = told.map((at, index) => at - (told[index - 1] ?? 0));
    expect(Math.max(...pauses.slice(3))).to.be.at.most(2000);
  });

  it('estimates how far it is from the positions of either log', async () => {
    const positions = (await everything(from)).map(({ position }) => position);
    expect(fractionOf(positions[49]!, positions[99]!)).to.equal(0.5);
    expect(
      fractionOf('0000000000000080-0000000000000080' as never, '0000000000000100-0000000000000100' as never),
    ).to.equal(0.5);
  });
});
