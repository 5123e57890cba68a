import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { Pool } from 'pg';
import { createEventStoreLog } from '../../../src/adapters/eventstore/log.ts';
import { Rejected } from '../../../src/errors.ts';
import type { RecordedEvent } from '../../../src/events/event.ts';
import type { Log } from '../../../src/ports/log.ts';
import { keepAnchors, readAnchors } from '../../../src/wiring/log-fence/anchors.ts';
import { fencedLog } from '../../../src/wiring/log-fence/fenced-log.ts';
import { createLogFence, startFenced } from '../../../src/wiring/log-fence/log-fence.ts';
import { assertNothingLost } from '../../../src/wiring/log-fence/nothing-lost.ts';
import { MoveRefused } from '../../../src/wiring/log-positions/move-refused.ts';
import { listeningLogger } from '../../adapters/eventstore/fixture.ts';
import { anEvent, isEvent } from '../../contract/log.ts';
import { createEventStoreDouble, type EventStoreDouble } from '../../eventstore-double/double.ts';
import { eventually } from '../../eventually.ts';
import { failureOf } from '../../failure-of.ts';
import { openPool } from '../../pool.ts';
import { type TestDatabase, testDatabase } from '../../postgres.ts';

describe('a log in EventStoreDB that was restored from an older backup', () => {
  let database: TestDatabase;
  let pool: Pool;
  let closePool: () => Promise<void>;
  let double: EventStoreDouble;
  let opened: { close(): Promise<void> }[];
  beforeEach(async () => {
    database = await testDatabase();
    ({ pool, close: closePool } = openPool(database.connection_string));
    double = await createEventStoreDouble();
    opened = [];
  });
  afterEach(async () => {
    await Promise.all(opened.map((each) => each.close()));
    await double.close();
    await closePool();
    await database.close();
  });

  /** What a process of BudApp has of the log. */
  const start = async () => {
    const { lines, logger } = listeningLogger();
    const fence = createLogFence({
      readAnchors: () => readAnchors(pool),
      keepAnchors: (missing) => keepAnchors(pool, missing),
      logger,
    });
    const log = fencedLog(await createEventStoreLog({ url: double.url, logger, fence, timeout: 15_000 }), fence);
    opened.push(log);
    await startFenced(fence, log);
    return { log, fence, errors: () => lines.filter(({ level, msg }) => level === 50 && msg.includes('has lost')) };
  };

  /** Appends events, each to a stream of its own; `size` is that of their data. */
  const write = async (log: Log, count: number, { size = 10, prefix }: { size?: number; prefix: string }) => {
    for (let n = 0; n < count; n += 1)
      await log.append(`${prefix}-${String(n).padStart(4, '0')}`, [anEvent('x'.repeat(size))], { expected: 'none' });
  };

  /** Reads live, and collects what comes. */
  const follow = (log: Log) => {
    const seen: RecordedEvent[] = [];
    const stopping = new AbortController();
    const ended = (async () => {
      for await (const item of log.subscribe({ after: 'start', live: true, signal: stopping.signal }))
        if (isEvent(item)) seen.push(item);
    })().catch((error: unknown) => error);
    opened.push({ close: async () => stopping.abort() });
    return { seen, ended };
  };

  const received = ({ seen }: { seen: readonly unknown[] }, count: number) =>
    eventually(`${count} events`, async () => seen.length >= count);

  const storeCheckpoint = (event: Pick<RecordedEvent, 'position' | 'id'>) =>
    pool.query(
      `insert into process_checkpoints (reader, position, event_id) values ('processes', $1, $2)
       on conflict (reader) do update set position = excluded.position, event_id = excluded.event_id`,
      [event.position, event.id],
    );

  const isBehind = (failure: unknown) =>
    expect(failure).to.be.instanceOf(Rejected).and.include({ kind: 'unavailable', code: 'log-behind' });

  const refused = async (log: Log, name: string) =>
    isBehind(await failureOf(log.append(name, [anEvent()], { expected: 'none' })));

  for (const [sizes, size] of [
    ['equal sizes', 10],
    ['other sizes', 17],
  ] as const)
    it(`takes no append from then on, with events of ${sizes}, and tells readers nothing of it`, async () => {
      const { log, errors } = await start();
      const reader = follow(log);
      await write(log, 20, { prefix: 'before' });
      const backup = await double.backup();
      await write(log, 60, { prefix: 'lost' });
      await received(reader, 80);

      await double.start(backup);
      const failures = await Promise.all(
        Array.from({ length: 60 }, (_, n) =>
          failureOf(log.append(`after-${n}`, [anEvent('x'.repeat(size))], { expected: 'none' })),
        ),
      );
      for (const failure of failures) isBehind(failure);
      isBehind(await reader.ended);
      expect(reader.seen).to.have.length(80);
      expect(errors()).to.have.length(1);
      expect(errors()[0]?.msg).to.include('budapp log heal').and.include('--accept-loss');
    });

  it('is noticed by a process that has only read, also where another system has written over the end meanwhile', async () => {
    const { log } = await start();
    const reader = follow(log);
    await write(log, 10, { prefix: 'before' });
    const backup = await double.backup();
    await write(log, 10, { prefix: 'lost' });
    await received(reader, 20);
    await double.start(backup);
    const other = await createEventStoreLog({ url: double.url, logger: listeningLogger().logger });
    opened.push(other);
    await write(other, 40, { prefix: 'other' });
    isBehind(await reader.ended);
    expect(reader.seen).to.have.length(20);
    await refused(log, 'after');
  });

  it('is noticed after a restart by what the database has read, whatever the log has become', async () => {
    const first = await start();
    await write(first.log, 5, { prefix: 'before' });
    const backup = await double.backup();
    const lost = anEvent('lost');
    const { position } = await first.log.append('lost', [lost], { expected: 'none' });
    await storeCheckpoint({ position, id: lost.id });
    await double.start(backup);
    const { log } = await start();
    await refused(log, 'after');
    // Nobody of this installation writes it, and it grows nevertheless.
    const other = await createEventStoreLog({ url: double.url, logger: listeningLogger().logger });
    opened.push(other);
    await write(other, 30, { prefix: 'other' });
    await refused((await start()).log, 'after');
  });

  it('is noticed after a restart by what a process has missed itself, though no checkpoint had come so far', async () => {
    const { log } = await start();
    await write(log, 5, { prefix: 'before' });
    const before = anEvent('read');
    const { position } = await log.append('read', [before], { expected: 'none' });
    await storeCheckpoint({ position, id: before.id });
    const backup = await double.backup();
    await write(log, 1, { prefix: 'lost' });
    await double.start(backup);
    await refused(log, 'after');
    await refused((await start()).log, 'after');
  });

  it('is not left for another log', async () => {
    const { log } = await start();
    await write(log, 5, { prefix: 'before' });
    const backup = await double.backup();
    const lost = anEvent('lost');
    const { position } = await log.append('lost', [lost], { expected: 'none' });
    await storeCheckpoint({ position, id: lost.id });
    const log_id = randomUUID();
    await pool.query('insert into checkpoint_log (log_id) values ($1)', [log_id]);
    await assertNothingLost({ pool, log, log_id });
    await double.start(backup);
    expect(await failureOf(assertNothingLost({ pool, log, log_id }))).to.be.instanceOf(MoveRefused);
    await assertNothingLost({ pool, log, log_id: randomUUID() });
  });

  it('may not be an empty one', async () => {
    const { log } = await start();
    await write(log, 5, { prefix: 'before' });
    await double.start('lose');
    await refused(log, 'after');
    expect(await log.head()).to.equal(null);
  });

  it('goes on at once where a backup was restored that has everything', async () => {
    const first = await start();
    await write(first.log, 5, { prefix: 'before' });
    const older = await double.backup();
    const last = anEvent('last');
    const { position } = await first.log.append('last', [last], { expected: 'none' });
    await storeCheckpoint({ position, id: last.id });
    const newer = await double.backup();
    await double.start(older);
    await refused(first.log, 'after');
    await double.start(newer);
    const { log } = await start();
    await log.append('after', [anEvent()], { expected: 'none' });
  });

  it('is not taken for one where a server only restarts, drops connections or ends calls', async () => {
    const { log } = await start();
    const reader = follow(log);
    for (const [n, interrupt] of [double.start, async () => double.dropConnections(), double.start].entries()) {
      await write(log, 5, { prefix: `round${n}` });
      await interrupt();
    }
    await write(log, 5, { prefix: 'last' });
    await received(reader, 20);
  });
});
