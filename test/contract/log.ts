import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { Rejected, WrongExpectedRevision } from '../../src/errors.ts';
import type { NewEvent, Position, RecordedEvent } from '../../src/events/event.ts';
import { CommandId, EventId, TenantId } from '../../src/events/ids.ts';
import type { CaughtUp, Log, SubscribeOptions } from '../../src/ports/log.ts';

/** An event that says nothing in particular; `data` makes it recognisable. */
export const anEvent = (data: unknown = {}, type = 'ThingHappened'): NewEvent => ({
  id: EventId.parse(randomUUID()),
  type,
  version: 1,
  data,
  meta: {
    tenant_id: TenantId.parse(randomUUID()),
    command_id: CommandId.parse(randomUUID()),
    command: 'DoThing',
    correlation_id: randomUUID(),
    causation_id: null,
    actor: { type: 'service', id: 'test', name: 'Test' },
  },
});

export const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
};

export const isEvent = (item: RecordedEvent | CaughtUp): item is RecordedEvent => 'stream' in item;

/** Everything up to the first `CaughtUp`. */
const readAll = async (log: Log, options: Partial<SubscribeOptions> = {}): Promise<RecordedEvent[]> =>
  (await collect(log.subscribe({ after: 'start', live: false, ...options }))).filter(isEvent);

const refusal = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => expect.fail('was not refused'),
    (error: unknown) => error,
  );

/** The next item of a live subscription. */
const next = async <T>(iterator: AsyncIterator<T>): Promise<T> => {
  const { value, done } = await iterator.next();
  if (done) expect.fail('ended');
  return value;
};

const live = (log: Log, options: Partial<SubscribeOptions> = {}): AsyncIterator<RecordedEvent | CaughtUp> =>
  log.subscribe({ after: 'start', live: true, ...options })[Symbol.asyncIterator]();

/**
 * What every adapter of the `Log` port must do. `createLog` answers an empty log. `ids_unique_in_log`: false where the log
 * cannot know which ids stand in other streams; the ids of an append are looked for in its own stream everywhere.
 */
export const describeLog = (
  name: string,
  createLog: () => Promise<Log>,
  { ids_unique_in_log = true }: { ids_unique_in_log?: boolean } = {},
): void => {
  describe(`${name}: the log`, () => {
    let log: Log;
    beforeEach(async () => {
      log = await createLog();
    });
    afterEach(() => log.close());

    describe('append', () => {
      it('counts revisions from 0 on and answers those of the last event', async () => {
        expect(await log.append('thing-1', [anEvent()], { expected: 'none' })).to.include({ revision: 0 });
        expect(await log.append('thing-1', [anEvent(), anEvent()], { expected: 0 })).to.include({ revision: 2 });
        const [last] = await collect(log.readStream('thing-1', { backwards: true, limit: 1 }));
        expect(last?.revision).to.equal(2);
        expect(last?.position).to.equal(await log.head());
      });

      it('gives back what was appended, with stream, revision, position and time', async () => {
        const event = anEvent({ text: 'ünï \u0000 "\\', list: [1, null, { deep: true }], big: 2 ** 53 - 1 });
        const before = Date.now();
        const appended = await log.append('thing-1', [event], { expected: 'any' });
        const [recorded] = await collect(log.readStream('thing-1'));
        const { at, ...rest } = recorded!;
        const { position } = appended;
        expect(appended).to.deep.equal({ revision: 0, position, at });
        expect(await log.append('thing-1', [event], { expected: 'any' })).to.deep.equal(appended);
        expect(rest).to.deep.equal({ ...event, stream: 'thing-1', revision: 0, position });
        expect(at).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
        expect(Date.parse(at)).to.be.within(before - 1000, Date.now() + 1000);
      });

      it('accepts only the actual revision as the expected one, and reports the actual one', async () => {
        await log.append('thing-1', [anEvent(), anEvent()], { expected: 'none' });
        for (const expected of [0, 2, 'none'] as const) {
          const error = await refusal(log.append('thing-1', [anEvent()], { expected }));
          expect(error).to.be.instanceOf(WrongExpectedRevision).and.include({ stream: 'thing-1', expected, actual: 1 });
        }
        expect(await log.append('thing-1', [anEvent()], { expected: 1 })).to.include({ revision: 2 });
      });

      it('reports null as the actual revision of a stream that does not exist', async () => {
        for (const expected of [0, 'exists'] as const) {
          const error = await refusal(log.append('thing-1', [anEvent()], { expected }));
          expect(error).to.be.instanceOf(WrongExpectedRevision).and.include({ expected, actual: null });
        }
      });

      it("takes 'exists' for an existing stream, and 'any' always", async () => {
        expect(await log.append('thing-1', [anEvent()], { expected: 'any' })).to.include({ revision: 0 });
        expect(await log.append('thing-1', [anEvent()], { expected: 'exists' })).to.include({ revision: 1 });
        expect(await log.append('thing-1', [anEvent()], { expected: 'any' })).to.include({ revision: 2 });
      });

      it('lets exactly one of 50 racing creates win, and the others see its revision', async () => {
        const attempts = Array.from({ length: 50 }, () => log.append('thing-1', [anEvent()], { expected: 'none' }));
        const outcomes = await Promise.allSettled(attempts);
        expect(outcomes.filter(({ status }) => status === 'fulfilled')).to.have.length(1);
        for (const outcome of outcomes)
          if (outcome.status === 'rejected')
            expect(outcome.reason).to.be.instanceOf(WrongExpectedRevision).and.include({ actual: 0 });
        expect(await readAll(log)).to.have.length(1);
      });

      it('refuses a conflicting append without touching those beside it', async () => {
        await log.append('thing-1', [anEvent()], { expected: 'none' });
        const outcomes = await Promise.allSettled([
          log.append('thing-2', [anEvent()], { expected: 'none' }),
          log.append('thing-1', [anEvent()], { expected: 'none' }),
          log.append('thing-3', [anEvent()], { expected: 'none' }),
        ]);
        expect(outcomes.map(({ status }) => status)).to.deep.equal(['fulfilled', 'rejected', 'fulfilled']);
      });

      it('keeps the order of appends to one stream that were made at once', async () => {
        await Promise.all(
          Array.from({ length: 20 }, (_, n) => log.append('thing-1', [anEvent(n)], { expected: 'any' })),
        );
        const events = await collect(log.readStream('thing-1'));
        expect(events.map(({ data }) => data)).to.deep.equal(Array.from({ length: 20 }, (_, n) => n));
      });

      it('refuses nonsense: no events, no stream, an id twice', async () => {
        const event = anEvent();
        expect(await refusal(log.append('thing-1', [], { expected: 'any' }))).to.be.instanceOf(TypeError);
        expect(await refusal(log.append('', [anEvent()], { expected: 'any' }))).to.be.instanceOf(TypeError);
        expect(await refusal(log.append('thing-1', [event, event], { expected: 'any' }))).to.be.instanceOf(TypeError);
        expect(await log.head()).to.equal(null);
      });
    });

    describe('repeating an append', () => {
      it('answers as the first time did and adds nothing, whatever happened in between', async () => {
        const events = [anEvent(), anEvent()];
        const first = await log.append('thing-1', events, { expected: 'none' });
        await log.append('thing-1', [anEvent()], { expected: 1 });
        expect(await log.append('thing-1', events, { expected: 'none' })).to.deep.equal(first);
        expect(await readAll(log)).to.have.length(3);
      });

      it('answers all of 20 concurrent repeats alike and appends once', async () => {
        const events = [anEvent(), anEvent()];
        const answers = await Promise.all(
          Array.from({ length: 20 }, () => log.append('thing-1', events, { expected: 'none' })),
        );
        for (const answer of answers) expect(answer).to.deep.equal(answers[0]);
        expect(await readAll(log)).to.have.length(2);
      });

      it("answers as the first time did with 'any' and 'exists', too", async () => {
        await log.append('thing-1', [anEvent()], { expected: 'any' });
        const events = [anEvent(), anEvent()];
        const first = await log.append('thing-1', events, { expected: 'exists' });
        await log.append('thing-1', [anEvent()], { expected: 'any' });
        for (const expected of ['any', 'exists', 0] as const)
          expect(await log.append('thing-1', events, { expected })).to.deep.equal(first);
        expect(await readAll(log)).to.have.length(4);
      });

      const unique = ids_unique_in_log ? it : it.skip;
      const unless = ids_unique_in_log ? '' : ' (not here: this log looks for ids in their own stream only)';
      unique(`refuses ids that stand in another stream, also where both are appended at once${unless}`, async () => {
        const event = anEvent();
        const outcomes = await Promise.allSettled([
          log.append('thing-1', [event], { expected: 'none' }),
          log.append('thing-2', [event], { expected: 'none' }),
        ]);
        expect(outcomes.map(({ status }) => status)).to.deep.equal(['fulfilled', 'rejected']);
        const error = await refusal(log.append('thing-3', [event], { expected: 'none' }));
        expect(error).to.be.instanceOf(Rejected).and.include({ code: 'event-ids-taken' });
      });

      it('refuses an append of which only some ids are there', async () => {
        const event = anEvent();
        await log.append('thing-1', [event], { expected: 'none' });
        const error = await refusal(log.append('thing-1', [event, anEvent()], { expected: 'any' }));
        expect(error).to.be.instanceOf(Rejected).and.include({ code: 'event-ids-taken' });
        expect(await readAll(log)).to.have.length(1);
      });
    });

    describe('readStream', () => {
      const revisions = async (options: Parameters<Log['readStream']>[1]): Promise<number[]> =>
        (await collect(log.readStream('thing-1', options))).map(({ revision }) => revision);

      it('reads forwards and backwards, from, to and no more than the limit', async () => {
        await log.append(
          'thing-1',
          Array.from({ length: 6 }, () => anEvent()),
          { expected: 'none' },
        );
        await log.append('thing-10', [anEvent()], { expected: 'none' });
        expect(await revisions({})).to.deep.equal([0, 1, 2, 3, 4, 5]);
        expect(await revisions({ from: 2, to: 4 })).to.deep.equal([2, 3, 4]);
        expect(await revisions({ from: 1, limit: 2 })).to.deep.equal([1, 2]);
        expect(await revisions({ backwards: true })).to.deep.equal([5, 4, 3, 2, 1, 0]);
        expect(await revisions({ backwards: true, from: 1, to: 4, limit: 3 })).to.deep.equal([4, 3, 2]);
        expect(await revisions({ limit: 0 })).to.deep.equal([]);
        expect(await revisions({ from: 6 })).to.deep.equal([]);
      });

      it('finds nothing in a stream that does not exist', async () => {
        expect(await collect(log.readStream('thing-9'))).to.deep.equal([]);
      });

      it('reads a stream that is longer than a page', async () => {
        for (let n = 0; n < 5; n++)
          await log.append(
            'thing-1',
            Array.from({ length: 1000 }, () => anEvent()),
            { expected: 'any' },
          );
        const forwards = await revisions({});
        expect(forwards).to.deep.equal(Array.from({ length: 5000 }, (_, n) => n));
        expect(await revisions({ backwards: true })).to.deep.equal(forwards.toReversed());
        expect(await readAll(log)).to.have.length(5000);
      }).timeout(300_000);
    });

    describe('subscribe', () => {
      it('reads all streams in the order of the appends, at positions that sort as text', async () => {
        for (let n = 0; n < 12; n++) await log.append(`thing-${n % 3}`, [anEvent(n)], { expected: 'any' });
        const events = await readAll(log);
        expect(events.map(({ data }) => data)).to.deep.equal(Array.from({ length: 12 }, (_, n) => n));
        const positions = events.map(({ position }) => position as string);
        expect(positions).to.deep.equal([...new Set(positions)].sort());
        expect(await log.head()).to.equal(positions.at(-1));
      });

      it('ends after CaughtUp when it is not live, also on an empty log', async () => {
        expect(await collect(log.subscribe({ after: 'start', live: false }))).to.deep.equal([
          { caughtUp: true, position: null },
        ]);
        expect(await log.head()).to.equal(null);
      });

      it('resumes after a position', async () => {
        for (let n = 0; n < 5; n++) await log.append('thing-1', [anEvent(n)], { expected: 'any' });
        const [, second, ...rest] = await readAll(log);
        expect(await readAll(log, { after: second!.position })).to.deep.equal(rest);
      });

      it('refuses a position that is none', async () => {
        const error = await refusal(readAll(log, { after: 'yesterday' as Position }));
        expect(error).to.be.instanceOf(Rejected).and.include({ code: 'unknown-position' });
      });

      it('goes on only after the event that the reader names, by its id or the first digits of it', async () => {
        for (let n = 0; n < 3; n++) await log.append('thing-1', [anEvent(n)], { expected: 'any' });
        const [first, second, third] = await readAll(log);
        const { position: after, id } = second!;
        for (const after_id of [id, id.slice(0, 8)])
          expect(await readAll(log, { after, after_id })).to.deep.equal([third]);
        const other = first!.id;
        for (const after_id of [other, other.slice(0, 8)]) {
          const error = await refusal(readAll(log, { after, after_id }));
          expect(error).to.be.instanceOf(Rejected).and.include({ kind: 'invalid', code: 'unknown-position' });
        }
        const { position: end } = third!;
        expect(await readAll(log, { after: end, after_id: third!.id })).to.deep.equal([]);
        const error = await refusal(readAll(log, { after: end, after_id: other }));
        expect(error).to.be.instanceOf(Rejected).and.include({ code: 'unknown-position' });
      });

      it('names the event that it has read up to, where it was read', async () => {
        await log.append('thing-1', [anEvent(1), anEvent(2)], { expected: 'any' });
        const items = await collect(log.subscribe({ after: 'start', live: false }));
        const [caughtUp, last] = items.reverse();
        expect(last && isEvent(last) && caughtUp).to.include({ event_id: (last as RecordedEvent).id });
      });

      it('tells which event is at a position, and what is where none is', async () => {
        const events = [anEvent(), anEvent('longer than the first one')];
        for (const event of events) await log.append('thing-1', [event], { expected: 'any' });
        const [first, second] = await readAll(log);
        expect(await log.eventAt(first!.position)).to.deep.equal({ id: first!.id });
        expect(await log.eventAt(second!.position)).to.deep.equal({ id: second!.id });
        // Each log's positions sort as text, so the highest of its form is beyond its end.
        const far = second!.position.replace(/[0-9a-f]/g, (digit) => (digit === '0' ? '7' : digit)) as Position;
        expect(await log.eventAt(far)).to.equal('beyond-end');
        const error = await refusal(log.eventAt('yesterday' as Position));
        expect(error).to.be.instanceOf(Rejected).and.include({ code: 'unknown-position' });
      });

      it('lets through only the types and stream prefixes of the filter', async () => {
        await log.append('thing-1', [anEvent(1, 'Made'), anEvent(2, 'Lost')], { expected: 'any' });
        await log.append('thong-1', [anEvent(3, 'Made')], { expected: 'any' });
        await log.append('thin_-1', [anEvent(4, 'Made')], { expected: 'any' });
        const data = async (filter: SubscribeOptions['filter']) =>
          (await readAll(log, { ...(filter && { filter }) })).map((event) => event.data);
        expect(await data({ types: ['Made'] })).to.deep.equal([1, 3, 4]);
        expect(await data({ streamPrefixes: ['thing-', 'thong-'] })).to.deep.equal([1, 2, 3]);
        expect(await data({ streamPrefixes: ['thin_'] })).to.deep.equal([4]);
        expect(await data({ types: ['Made'], streamPrefixes: ['thing-'] })).to.deep.equal([1]);
        expect(await data({ types: [] })).to.deep.equal([]);
      });

      it('lets through the streams that the filter names, and types that it wants of any stream', async () => {
        await log.append('thing-1', [anEvent(1, 'Made'), anEvent(2, 'Lost')], { expected: 'any' });
        await log.append('thing-2', [anEvent(3, 'Made')], { expected: 'any' });
        await log.append('thong-1', [anEvent(4, 'Made'), anEvent(5, 'Lost')], { expected: 'any' });
        const data = async (filter: NonNullable<SubscribeOptions['filter']>) =>
          (await readAll(log, { filter })).map((event) => event.data);
        expect(await data({ streams: ['thing-1'] })).to.deep.equal([1, 2]);
        expect(await data({ streams: ['thing-1'], streamPrefixes: ['thong-'] })).to.deep.equal([1, 2, 4, 5]);
        expect(await data({ streams: ['thing-2'], types: ['Made'] })).to.deep.equal([3]);
        expect(await data({ streams: ['thing-2'], typesOfAnyStream: ['Lost'] })).to.deep.equal([2, 3, 5]);
        expect(await data({ streams: [], typesOfAnyStream: ['Lost'] })).to.deep.equal([2, 5]);
        expect(await data({ streams: [], streamPrefixes: [] })).to.deep.equal([]);
      });

      it('carries in CaughtUp the position read up to, though the filter dropped everything', async () => {
        const { position } = await log.append('thing-1', [anEvent()], { expected: 'any' });
        const items = await collect(log.subscribe({ after: 'start', live: false, filter: { types: ['Other'] } }));
        expect(items).to.have.length(1);
        expect(items[0]).to.include({ caughtUp: true, position });
      });

      it('continues live: later events, then CaughtUp again', async () => {
        const abort = new AbortController();
        const reader = live(log, { signal: abort.signal });
        expect(await next(reader)).to.deep.equal({ caughtUp: true, position: null });
        const waiting = next(reader);
        const { position } = await log.append('thing-1', [anEvent('late')], { expected: 'any' });
        expect(await waiting).to.include({ data: 'late', position });
        expect(await next(reader)).to.include({ caughtUp: true, position });
        abort.abort();
        expect(await reader.next()).to.include({ done: true });
      });

      it('reports the position to a filtered live reader, even where no event passes the filter', async () => {
        const abort = new AbortController();
        const reader = live(log, { filter: { types: ['Other'] }, signal: abort.signal });
        await next(reader);
        const waiting = next(reader);
        const { position } = await log.append('thing-1', [anEvent()], { expected: 'any' });
        expect(await waiting).to.include({ caughtUp: true, position });
        abort.abort();
      });

      it('ends cleanly when aborted: before it starts, between events and while it waits', async () => {
        await log.append('thing-1', [anEvent(), anEvent()], { expected: 'any' });
        expect(await collect(log.subscribe({ after: 'start', live: true, signal: AbortSignal.abort() }))).to.deep.equal(
          [],
        );
        const between = new AbortController();
        let seen = 0;
        for await (const _event of log.subscribe({ after: 'start', live: true, signal: between.signal })) {
          seen += 1;
          between.abort();
        }
        expect(seen).to.equal(1);
        const idle = new AbortController();
        const reader = live(log, { after: (await log.head())!, signal: idle.signal });
        await next(reader);
        const waiting = reader.next();
        idle.abort();
        expect(await waiting).to.include({ done: true });
      });

      it('gives every one of many live readers every event once, in one order that is the same for all', async () => {
        const abort = new AbortController();
        const readers = Array.from({ length: 10 }, async () => {
          const seen: { stream: string; data: unknown }[] = [];
          for await (const item of log.subscribe({ after: 'start', live: true, signal: abort.signal })) {
            if (isEvent(item)) seen.push({ stream: item.stream, data: item.data });
            if (seen.length === 100) break;
          }
          return seen;
        });
        for (let n = 0; n < 100; n += 10)
          await Promise.all(
            Array.from({ length: 10 }, (_, i) => log.append(`thing-${i}`, [anEvent(n + i)], { expected: 'any' })),
          );
        const [first = [], ...others] = await Promise.all(readers);
        for (const seen of others) expect(seen).to.deep.equal(first);
        // Appends that are made at once to different streams may land in any order.
        for (let i = 0; i < 10; i++) {
          const ofStream = first.filter(({ stream }) => stream === `thing-${i}`).map(({ data }) => data);
          expect(ofStream).to.deep.equal(Array.from({ length: 10 }, (_, n) => 10 * n + i));
        }
        expect(first).to.have.length(100);
        abort.abort();
      });
    });

    describe('close', () => {
      it('rejects live readers and later calls with log-closed, and may be called twice', async () => {
        const reader = live(log);
        await next(reader);
        const waiting = refusal(reader.next());
        await log.close();
        await log.close();
        expect(await waiting)
          .to.be.instanceOf(Rejected)
          .and.include({ code: 'log-closed' });
        for (const late of [
          log.append('thing-1', [anEvent()], { expected: 'any' }),
          log.head(),
          collect(log.readStream('thing-1')),
        ])
          expect(await refusal(late))
            .to.be.instanceOf(Rejected)
            .and.include({ code: 'log-closed' });
      });
    });
  });
};
