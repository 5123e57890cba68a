import { expect } from 'chai';
import { v7 } from 'uuid';
import { createMemoryLog } from '../../../src/adapters/memory-log.ts';
import { createOwnWrites, type OwnWritesOptions } from '../../../src/api/own-writes.ts';
import { streamOf } from '../../../src/events/catalog.ts';
import type { Actor } from '../../../src/events/event.ts';
import { ProjectId, UserId } from '../../../src/events/ids.ts';
import type { Log } from '../../../src/ports/log.ts';
import { createLogger } from '../../../src/telemetry.ts';
import { LOGS } from '../../commands/races/logs.ts';
import { eventually } from '../../eventually.ts';
import { anEvent } from '../../projections/facts.ts';
import { TENANT } from '../fake-identity.ts';

const aUser = () => UserId.parse(v7());
const actorOf = (id: string, type: Actor['type'] = 'user'): Actor => ({ type, id, name: '' });

describe('how far a user has written', () => {
  const write = async (log: Log, actor: Actor) => {
    const project_id = ProjectId.parse(v7());
    const event = anEvent({ type: 'ProjectDeleted', data: { project_id, name: 'gone' } }, { tenant_id: TENANT });
    const { position } = await log.append(
      streamOf('project', project_id),
      [{ ...event, meta: { ...event.meta, actor } }],
      {
        expected: 'none',
      },
    );
    return position;
  };
  const opened: { close(): Promise<void> }[] = [];
  const follow = (log: OwnWritesOptions['log'], options: Partial<OwnWritesOptions> = {}) => {
    const ownWrites = createOwnWrites({
      log,
      readPositions: async () => new Map(),
      onAccessChange: () => undefined,
      timeout_ms: 100,
      logger: createLogger({ level: 'silent' }),
      ...options,
    });
    opened.push(ownWrites);
    return ownWrites;
  };
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((each) => each.close()));
  });

  it('counts what the user did, and not what a process did on the way', async () => {
    const log = createMemoryLog();
    const ownWrites = follow(log);
    await ownWrites.refresh();
    const [ada, bob] = [aUser(), aUser()];
    const position = await write(log, actorOf(ada));
    await write(log, actorOf(bob, 'process'));
    await ownWrites.refresh();
    expect([ownWrites.upTo(ada), ownWrites.upTo(bob)]).to.deep.equal([position, null]);
  });

  it('begins where the slowest read model is, so that a restart forgets nothing', async () => {
    const log = createMemoryLog();
    const [early, ada] = [aUser(), aUser()];
    const shown = await write(log, actorOf(early));
    const position = await write(log, actorOf(ada));
    const readPositions = async () =>
      new Map([
        ['a', shown],
        ['b', position],
        ['c', null],
      ]);
    const ownWrites = follow(log, { readPositions });
    await ownWrites.refresh();
    expect([ownWrites.upTo(early), ownWrites.upTo(ada)]).to.deep.equal([null, position]);
  });

  it('is never forgotten for the sake of memory: users beyond the bound share the highest position', async () => {
    const ownWrites = follow(createMemoryLog());
    const log = createMemoryLog();
    const first = aUser();
    const position = await write(log, actorOf(first));
    const last = await write(log, actorOf(first));
    ownWrites.wrote(first, position);
    for (let n = 0; n < 10_000; n += 1) ownWrites.wrote(aUser(), last);
    expect(ownWrites.upTo(first)).to.equal(position);
    expect(ownWrites.upTo(aUser())).to.equal(position);
  });

  it('is forgotten where the log has lost it, so that nobody waits for it', async () => {
    const [before, after] = [createMemoryLog(), createMemoryLog()];
    const [ada, bob] = [aUser(), aUser()];
    let log: Log = before;
    const shown = await write(after, actorOf(bob));
    const ownWrites = follow(
      { head: () => log.head(), subscribe: (options) => log.subscribe(options) },
      { readPositions: async () => new Map([['a', shown]]) },
    );
    for (let n = 0; n < 3; n += 1) await write(before, actorOf(ada));
    await ownWrites.refresh();
    expect(ownWrites.upTo(ada)).to.equal(await before.head());
    // As short as a fail-over leaves it, then longer than before.
    log = after;
    await ownWrites.refresh();
    expect(ownWrites.upTo(ada)).to.equal(null);
    let position = await after.head();
    for (let n = 0; n < 5; n += 1) position = await write(after, actorOf(bob));
    await eventually('the new history is read', async () => {
      await ownWrites.refresh();
      return ownWrites.upTo(bob) === position;
    });
  });

  it('is asked for a bounded time, and not waited for again until the log answers', async () => {
    const log = createMemoryLog();
    const answer = Promise.withResolvers<void>();
    const slow: OwnWritesOptions['log'] = {
      head: log.head,
      subscribe: async function* (options) {
        await answer.promise;
        yield* log.subscribe(options);
      },
    };
    const ownWrites = follow(slow);
    const start = performance.now();
    await ownWrites.refresh();
    const waited = performance.now() - start;
    expect(waited).to.be.within(80, 1000);
    const again = performance.now();
    for (let n = 0; n < 10; n += 1) await ownWrites.refresh();
    expect(performance.now() - again).to.be.below(waited);
    answer.resolve();
    const ada = aUser();
    const position = await write(log, actorOf(ada));
    await eventually('the log is asked again', async () => {
      await ownWrites.refresh();
      return ownWrites.upTo(ada) === position;
    });
  });

  for (const [where, open] of Object.entries(LOGS)) {
    it(`is known at once in the process that did not answer, with the log ${where}`, async () => {
      const { logs, close } = await open();
      const [theirs, ours] = logs;
      const ownWrites = follow(ours, { timeout_ms: 10_000 });
      try {
        await ownWrites.refresh();
        const ada = aUser();
        for (let n = 0; n < 20; n += 1) {
          const position = await write(theirs, actorOf(ada));
          await ownWrites.refresh();
          expect(ownWrites.upTo(ada)).to.equal(position);
        }
      } finally {
        await ownWrites.close();
        await close();
      }
    });
  }
});
