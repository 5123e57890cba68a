import { expect } from 'chai';
import { Rejected } from '../../../src/errors.ts';
import type { Log } from '../../../src/ports/log.ts';
import { anEvent, collect } from '../../contract/log.ts';
import { createEventStoreCluster, type EventStoreCluster } from '../../eventstore-double/cluster.ts';
import { createEventStoreDouble, type EventStoreDouble } from '../../eventstore-double/double.ts';
import { connect, anEvent as proposed } from '../../eventstore-double/opened.ts';
import { failureOf } from '../../failure-of.ts';
import { createLogs, everything, listeningLogger, PATIENT } from './fixture.ts';

describe('appends to EventStoreDB', () => {
  let double: EventStoreDouble;
  let log: Log;
  const logs = createLogs();

  beforeEach(async () => {
    double = await createEventStoreDouble();
    log = await logs.open(double.url);
  });
  afterEach(async () => {
    double.faults.clear();
    await logs.close();
    await double.close();
  });

  const appendMany = (count: number) =>
    Promise.all(Array.from({ length: count }, (_, n) => log.append(`thing-${n}`, [anEvent(n)], { expected: 'none' })));

  /** Appends two events, which shall be there once, and the answer be as they stand there. */
  const appendOnce = async (stream: string): Promise<void> => {
    const appended = await log.append(stream, [anEvent(1), anEvent(2)], { expected: 'none' });
    const events = await collect(log.readStream(stream));
    expect(events.map(({ data }) => data)).to.deep.equal([1, 2]);
    const { revision, position, at } = events[1]!;
    expect(appended).to.deep.equal({ revision, position, at });
  };

  // The client's own deadline is one that the server keeps, or not.
  for (const written of [false, true])
    it(`are made once though the server does not answer one that was ${written ? '' : 'not '}written`, async () => {
      log = await logs.open(double.url, { attemptTimeout: 500 });
      double.faults.inject('append', 'mute', { times: 1, written });
      await appendOnce('thing-1');
    });

  for (const batchAppend of [true, false])
    for (const written of [false, true]) {
      const which = `${written ? '' : 'not '}written${batchAppend ? '' : ' on a server before 21.10'}`;
      it(`are made once, at once, when the call of one ends in any other way that was ${which}`, async () => {
        const other = await createEventStoreDouble({ batchAppend });
        log = await logs.open(other.url, PATIENT);
        // `end` leaves whoever waits without any error: the client's own batches would wait for ever.
        for (const kind of ['drop', 'end', 'not-leader', 'not-ready'] as const) {
          other.faults.inject('append', kind, { times: 1, written });
          await appendOnce(`thing-${kind}`);
        }
        await logs.close();
        await other.close();
      });
    }

  // In the client's batches, what waits behind a full connection would be rejected where nobody can catch it.
  for (const written of [false, true])
    it(`are made once, 200 at a time, though the connection is cut ${written ? 'after' : 'before'} writing`, async () => {
      log = await logs.open(double.url, PATIENT);
      await log.append('warm', [anEvent()], { expected: 'none' });
      double.faults.inject('append', 'drop', { times: 2, written });
      const appended = await appendMany(200);
      expect(appended.map(({ revision }) => revision)).to.deep.equal(Array(200).fill(0));
      const events = await everything(log);
      expect(events).to.have.length(201);
      const positionOf = new Map(events.map(({ stream, position }) => [stream, position]));
      appended.forEach(({ position }, n) => {
        expect(position).to.equal(positionOf.get(`thing-${n}`));
      });
    }).timeout(300_000);

  it('are not touched when another client of this process loses its connection', async () => {
    // The client keeps the answers that are awaited in one table for all clients, and empties it when one of them fails.
    const other = await createEventStoreDouble();
    const { append, dispose } = connect(other.url);
    await append('s', proposed());
    const { lines, logger } = listeningLogger();
    log = await logs.open(double.url, { ...PATIENT, logger });
    lines.length = 0;
    await log.append('warm', [anEvent()], { expected: 'none' });
    const struck = Promise.withResolvers<void>();
    other.faults.inject('append', 'mute', { meanwhile: struck.resolve });
    const lost = failureOf(append('s', proposed()));
    await struck.promise;
    double.faults.slowDown(100);
    const appends = appendMany(5);
    other.dropConnections();
    expect(await lost).to.be.instanceOf(Error);
    expect(await appends).to.have.length(5);
    // Not even tried a second time.
    expect(lines).to.deep.equal([]);
    await dispose();
    await other.close();
  });

  it('wait for a server that is not ready yet', async () => {
    double.faults.inject('append', 'not-ready', { times: 3 });
    expect(await log.append('thing-1', [anEvent()], { expected: 'none' })).to.include({ revision: 0 });
  });

  it('are refused as unavailable, in time, while nobody answers, and taken again afterwards', async () => {
    const { lines, logger } = listeningLogger();
    log = await logs.open(double.url, { ...PATIENT, logger, timeout: 500, attemptTimeout: 200 });
    lines.length = 0;
    double.faults.inject('append', 'mute');
    const error = await failureOf(log.append('thing-1', [anEvent()], { expected: 'any' }));
    expect(error).to.be.instanceOf(Rejected).and.include({ kind: 'unavailable', code: 'log-unavailable' });
    expect((error as Rejected).retryAfterSeconds).to.be.greaterThan(0);
    double.faults.clear();
    const event = anEvent();
    const retry = () => log.append('thing-1', [event], { expected: 'none' }).catch(() => null);
    let appended = await retry();
    // So impatient that a busy machine may need more than one.
    while (appended === null) appended = await retry();
    expect(appended).to.include({ revision: 0 });
    // Said once each, with the setting to look at.
    expect(lines.map(({ level, msg }) => [level, msg.includes('EVENTSTORE_URL')])).to.deep.equal([
      [40, true],
      [30, true],
    ]);
  });

  it('are taken again after the server was gone for a while', async () => {
    await log.append('thing-0', [anEvent()], { expected: 'none' });
    await double.stop();
    const appending = log.append('thing-1', [anEvent()], { expected: 'none' });
    await double.start();
    expect(await appending).to.include({ revision: 0 });
  });

  it('are answered as the first time also by another process, which has not seen the first time', async () => {
    const events = [anEvent(), anEvent()];
    const first = await log.append('thing-1', events, { expected: 'none' });
    const other = await logs.open(double.url, { clock: () => '2999-01-01T00:00:00.000Z' });
    expect(await other.append('thing-1', events, { expected: 'none' })).to.deep.equal(first);
    expect(await everything(log)).to.have.length(2);
  });

  it('are answered as the first time where the server takes a repeat for a conflict', async () => {
    // It looks at the expected place only; nothing but our own look at the stream tells that they are there.
    const events = [anEvent(1), anEvent(2)];
    const first = await log.append('thing-1', events, { expected: 'none' });
    for (const expected of [1, 2]) await log.append('thing-1', [anEvent()], { expected });
    expect(await log.append('thing-1', events, { expected: 2 })).to.deep.equal(first);
    expect(await collect(log.readStream('thing-1'))).to.have.length(4);
  });

  it("are made once with 'any' and 'exists', long after the server has forgotten the ids", async () => {
    // The server looks for them among recent events only.
    const forgetful = await createEventStoreDouble({ recentEventsBytes: 1 });
    log = await logs.open(forgetful.url);
    const events = [anEvent(1), anEvent(2)];
    const first = await log.append('thing-1', events, { expected: 'any' });
    // More than the first look takes.
    const between = Array.from({ length: 60 }, () => anEvent(3));
    await log.append('thing-1', between, { expected: 1 });
    for (const expected of ['any', 'exists'] as const)
      expect(await log.append('thing-1', events, { expected })).to.deep.equal(first);
    const error = await failureOf(log.append('thing-1', [events[0]!, anEvent()], { expected: 'exists' }));
    expect(error).to.be.instanceOf(Rejected).and.include({ code: 'event-ids-taken' });
    expect(await collect(log.readStream('thing-1'))).to.have.length(62);
    await logs.close();
    await forgetful.close();
  });

  it('of several processes to one stream at once are all made, once each', async () => {
    const several = await Promise.all(Array.from({ length: 3 }, () => logs.open(double.url)));
    await Promise.all(
      Array.from({ length: 30 }, (_, n) => several[n % 3]!.append('thing-1', [anEvent(n)], { expected: 'any' })),
    );
    const data = (await collect(log.readStream('thing-1'))).map((event) => event.data as number);
    expect(data.toSorted((a, b) => a - b)).to.deep.equal(Array.from({ length: 30 }, (_, n) => n));
  });

  it('are refused as too large where the server takes none of that size', async () => {
    const small = await createEventStoreDouble({ maxAppendBytes: 2000 });
    log = await logs.open(small.url);
    const error = await failureOf(log.append('thing-1', [anEvent('x'.repeat(3000))], { expected: 'none' }));
    expect(error).to.be.instanceOf(Rejected).and.include({ kind: 'too-large', code: 'append-too-large' });
    expect(await log.append('thing-1', [anEvent()], { expected: 'none' })).to.include({ revision: 0 });
    await logs.close();
    await small.close();
  });

  it('of several megabytes go through where the server takes them', async () => {
    const large = await createEventStoreDouble({ maxAppendBytes: 16 * 1024 * 1024 });
    log = await logs.open(large.url);
    const events = Array.from({ length: 5 }, () => anEvent('x'.repeat(1_000_000)));
    expect(await log.append('thing-1', events, { expected: 'none' })).to.include({ revision: 4 });
    await logs.close();
    await large.close();
  });

  describe('in a cluster', () => {
    let cluster: EventStoreCluster;
    beforeEach(async () => {
      cluster = await createEventStoreCluster({ nodes: 3 });
    });
    afterEach(async () => {
      await logs.close();
      await cluster.close();
    });

    for (const written of [false, true])
      it(`are made once when the leader changes in the middle of one that was ${written ? '' : 'not '}written`, async () => {
        for (const url of [cluster.url, cluster.url.replace('esdb:', 'esdb+discover:'), cluster.nodes[0]!.url]) {
          log = await logs.open(url);
          const stream = `thing-${url}`;
          await log.append(stream, [anEvent(0)], { expected: 'none' });
          cluster.electDuringAppend(((cluster.leader() ?? 0) + 1) % 3, { written });
          const appended = await log.append(stream, [anEvent(1)], { expected: 0 });
          const events = await collect(log.readStream(stream));
          expect(events.map(({ data }) => data)).to.deep.equal([0, 1]);
          const { revision, position, at } = events[1]!;
          expect(appended).to.deep.equal({ revision, position, at });
        }
      });

    for (const kind of ['mute', 'drop', 'end'] as const)
      it(`are made once, many at a time, when the leader changes and the old one's calls ${kind}`, async () => {
        log = await logs.open(cluster.url.replace('esdb:', 'esdb+discover:'), { attemptTimeout: 1000 });
        await log.append('thing-0', [anEvent()], { expected: 'none' });
        // Some of the appends are answered by the old leader, some are written and never answered, some come too late.
        const meanwhile = () => cluster.elect(1);
        cluster.nodes[0]!.faults.inject('append', kind, { times: 5, written: true, meanwhile });
        const streams = Array.from({ length: 20 }, (_, n) => `thing-${n % 10}`);
        const appended = await Promise.all(
          streams.map((stream, n) => log.append(stream, [anEvent(n)], { expected: 'any' })),
        );
        const events = await everything(log);
        expect(events).to.have.length(21);
        expect(appended.map(({ position }) => position)).to.have.members(
          events.slice(1).map((event) => event.position),
        );
        expect(cluster.leader()).to.equal(1);
      });

    it('wait while nobody leads, and are made once when another node does', async () => {
      log = await logs.open(cluster.url);
      await log.append('warm', [anEvent()], { expected: 'none' });
      const elected = cluster.failOver(2, { withoutLeaderMs: 700 });
      const appended = await appendMany(20);
      expect(cluster.leader()).to.equal(2);
      expect(appended.map(({ revision }) => revision)).to.deep.equal(Array.from({ length: 20 }, () => 0));
      expect(await everything(log)).to.have.length(21);
      await elected;
    });
  });
});
