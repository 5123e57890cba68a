import { jsonEvent } from '@eventstore/db-client';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { expect } from 'chai';
import type { Position, RecordedEvent } from '../../../src/events/event.ts';
import type { Log, LogFilter } from '../../../src/ports/log.ts';
import { anEvent, collect, isEvent } from '../../contract/log.ts';
import { createEventStoreDouble, type EventStoreDouble } from '../../eventstore-double/double.ts';
import { type Connected, connect, reconnecting } from '../../eventstore-double/opened.ts';
import { createLogs, everything } from './fixture.ts';

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);
const LARGE = 'x'.repeat(900_000);
/** So that a few hundred of them are worth a filter. */
const TEXT = 'x'.repeat(1000);

describe('what the EventStoreDB server leaves out', () => {
  let double: EventStoreDouble;
  let log: Log;
  let foreign: Connected;
  let sent: number;
  const logs = createLogs();

  beforeEach(async () => {
    double = await createEventStoreDouble();
    log = await logs.open(double.url, { streamPrefixes: ['thing-', 'other-'] });
    foreign = connect(double.url);
    sent = 0;
    const { pause } = double.faults;
    double.faults.pause = (...message: Parameters<typeof pause>) => {
      sent += 1;
      return pause(...message);
    };
  });
  afterEach(async () => {
    double.faults.clear();
    await foreign.dispose();
    await logs.close();
    await double.close();
  });

  const appendOurs = (stream: string, count: number) =>
    log.append(
      stream,
      numbers(count).map((n) => anEvent({ n, TEXT })),
      { expected: 'any' },
    );
  const appendTheirs = (stream: string, count: number, data: object = { TEXT }) =>
    reconnecting(() =>
      foreign.client.appendToStream(
        stream,
        numbers(count).map(() => jsonEvent({ type: 'Theirs', data: { ...data } })),
      ),
    );
  const read = async (filter: LogFilter, after: Position | 'start' = 'start') =>
    (await collect(log.subscribe({ after, live: false, filter }))).filter(isEvent);
  const placesOf = (events: readonly RecordedEvent[]) => events.map(({ stream, revision }) => `${stream}@${revision}`);

  it('are the streams that a reader does not want: it reads next to nothing where it wants none', async () => {
    await appendOurs('thing-1', 600);
    await appendOurs('other-1', 1);
    await appendOurs('thing-2', 600);
    sent = 0;
    expect(placesOf(await read({ streamPrefixes: ['other-'] }))).to.deep.equal(['other-1@0']);
    expect(await read({ streams: ['nobody-1'] })).to.deep.equal([]);
    // Checkpoints, and what lies behind the last of them.
    expect(sent).to.be.below(1000);
  });

  it('are none of ours, whatever is wanted, from wherever, also where the connection breaks again and again', async () => {
    for (const round of numbers(6)) {
      await appendOurs(`thing-${round % 2}`, 100);
      await appendTheirs(`theirs-${round}`, 100);
      await appendOurs('other-1', 20);
      await appendTheirs('foreign', 60);
    }
    await appendOurs('thing-2', 3);
    const all = await everything(log);
    expect(all).to.have.length(723);
    const filters: LogFilter[] = [{}, { streamPrefixes: ['thing-'] }, { streams: ['other-1'] }, { types: ['Nothing'] }];
    for (const isBroken of [false, true])
      for (const filter of filters)
        for (const index of [-1, 0, 119, 400, 700]) {
          const { pause } = double.faults;
          let count = 0;
          double.faults.pause = (...message: Parameters<typeof pause>) => {
            count += 1;
            if (isBroken && count % 150 === 0) double.dropConnections();
            return pause(...message);
          };
          const expected = all.filter(
            ({ stream }, n) =>
              n > index &&
              filter.types === undefined &&
              (filter.streamPrefixes === undefined || stream.startsWith('thing-')) &&
              (filter.streams === undefined || stream === 'other-1'),
          );
          const found = await read(filter, all[index]?.position ?? 'start');
          expect(placesOf(found)).to.deep.equal(placesOf(expected));
          double.faults.pause = pause;
        }
  });

  it('are the many or large events of other applications, once they are known', async () => {
    await appendOurs('thing-1', 3);
    await appendTheirs('theirs-1', 600);
    await appendTheirs('whole', 600);
    await appendOurs('thing-1', 3);
    expect(await everything(log)).to.have.length(6);
    await appendTheirs('theirs-2', 600);
    await appendOurs('thing-1', 1);
    sent = 0;
    expect(await everything(log)).to.have.length(7);
    expect(sent).to.be.below(50);
  });

  it('are not streams in which there was ever an event of ours, nor ones that are named like ours', async () => {
    // As a newer version of BudApp may have them.
    await appendOurs('agent-1', 1);
    for (const stream of ['agent-2', 'thing-9', 'theirs-1']) await appendTheirs(stream, 600);
    await appendOurs('agent-3', 1);
    await appendOurs('thing-1', 1);
    for (const _round of [1, 2])
      expect(placesOf(await everything(log))).to.deep.equal(['agent-1@0', 'agent-3@0', 'thing-1@0']);
  });

  it('are large events of others behind our newest one, for which a start needs not one page', async () => {
    await appendOurs('thing-1', 1);
    for (const _n of numbers(12)) await appendTheirs('theirs-1', 1, { LARGE });
    await logs.close();
    sent = 0;
    log = await logs.open(double.url, { streamPrefixes: ['thing-'] });
    // The confirmation, the first of theirs, and the newest of ours.
    expect(sent).to.be.below(10);
    expect(await log.head()).to.equal((await everything(log)).at(-1)?.position);
  });

  it('are what the subscription need not bring, once it is known', async () => {
    const stopping = new AbortController();
    const seen: unknown[] = [];
    for await (const item of log.subscribe({ after: 'start', live: true, signal: stopping.signal })) {
      if (isEvent(item)) seen.push(item.stream);
      else if (seen.length === 0) {
        for (const _n of numbers(3)) await appendTheirs('theirs-1', 300);
        sent = 0;
        await appendOurs('thing-1', 1);
      } else {
        if (seen.length === 1) {
          sent = 0;
          await appendTheirs('theirs-1', 400);
          await appendOurs('thing-2', 1);
        } else stopping.abort();
      }
    }
    expect(seen).to.deep.equal(['thing-1', 'thing-2']);
    expect(sent).to.be.below(100);
  });

  it('is read without a filter in the end, where an old server does not say that it has no more', async () => {
    log = await logs.open(double.url, { silence: 200 });
    await appendOurs('other-1', 1);
    await appendOurs('thing-1', 600);
    const { hasCaughtUp } = streams.ReadResp.prototype;
    streams.ReadResp.prototype.hasCaughtUp = () => false;
    try {
      expect(placesOf(await read({ streamPrefixes: ['other-'] }))).to.deep.equal(['other-1@0']);
    } finally {
      streams.ReadResp.prototype.hasCaughtUp = hasCaughtUp;
    }
  });
});
