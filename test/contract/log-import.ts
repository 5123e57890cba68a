import { expect } from 'chai';
import { createMemoryLog } from '../../src/adapters/memory-log.ts';
import { WrongExpectedRevision } from '../../src/errors.ts';
import type { RecordedEvent } from '../../src/events/event.ts';
import type { Log, LogImport } from '../../src/ports/log.ts';
import { failureOf } from '../failure-of.ts';
import { anEvent, collect, isEvent } from './log.ts';

const everything = async (log: Log): Promise<RecordedEvent[]> =>
  (await collect(log.subscribe({ after: 'start', live: false }))).filter(isEvent);

const withoutPosition = ({ position: _, ...event }: RecordedEvent) => event;

/** Events of several streams, interleaved in pairs, at times of their own. */
export const aHistory = async (count: number): Promise<RecordedEvent[]> => {
  let time = Date.parse('2026-01-02T03:04:05.678Z');
  const log = createMemoryLog({ clock: () => new Date(time).toISOString() });
  for (let n = 0; n < count; n += 1) {
    await log.append(`thing-${(Math.floor(n / 2) * 7) % 5}`, [anEvent({ n, text: 'ü "\\' })], { expected: 'any' });
    time += 1500;
  }
  return everything(log);
};

/** What every log that can take over another one's history must do. `open` answers an empty log. */
export const describeLogImport = (name: string, open: () => Promise<Log & LogImport>): void => {
  describe(`${name}: taking over another log's history`, () => {
    let log: Log & LogImport;
    let history: RecordedEvent[];
    before(async () => {
      history = await aHistory(40);
    });
    beforeEach(async () => {
      log = await open();
    });
    afterEach(() => log.close());

    it('keeps order, ids, streams, revisions, types, versions, data, meta and times', async () => {
      await log.importEvents(history.slice(0, 25));
      await log.importEvents(history.slice(25));
      const taken = await everything(log);
      expect(taken.map(withoutPosition)).to.deep.equal(history.map(withoutPosition));
      expect(await log.head()).to.equal(taken.at(-1)?.position);
    });

    it('works as any log afterwards: revisions continue, and repeats are recognised', async () => {
      await log.importEvents(history);
      const [first] = history;
      const held = history.filter(({ stream }) => stream === first!.stream).length;
      expect(await log.append(first!.stream, [anEvent()], { expected: held - 1 })).to.include({ revision: held });
      const { id, type, version, data, meta } = first!;
      const repeated = await log.append(first!.stream, [{ id, type, version, data, meta }], { expected: 'any' });
      expect(repeated).to.include({ revision: 0, at: first!.at });
      expect(await everything(log)).to.have.length(history.length + 1);
    });

    it('never adds anything twice', async () => {
      await log.importEvents(history);
      await log.importEvents(history.slice(-3)).catch(() => undefined);
      expect(await everything(log)).to.have.length(history.length);
    });

    it('refuses an event whose stream is not at the revision before it', async () => {
      const later = history.filter(({ revision }) => revision > 0).slice(0, 1);
      expect(await failureOf(log.importEvents(later))).to.be.instanceOf(WrongExpectedRevision);
      expect(await log.head()).to.equal(null);
    });

    it('tells live readers', async () => {
      const abort = new AbortController();
      const reader = log.subscribe({ after: 'start', live: true, signal: abort.signal })[Symbol.asyncIterator]();
      await reader.next();
      const waiting = reader.next();
      await log.importEvents(history.slice(0, 1));
      expect((await waiting).value).to.include({ id: history[0]!.id });
      abort.abort();
      await reader.return?.();
    });
  });
};
