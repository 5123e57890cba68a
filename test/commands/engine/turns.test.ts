import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { createTurns } from '../../../src/commands/engine/turns.ts';
import { Rejected, WrongExpectedRevision } from '../../../src/errors.ts';

const refusalOf = async (work: Promise<unknown>): Promise<Rejected> => {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof Rejected) return error;
  throw new Error('was not refused', { cause: error });
};

describe('the changes of one stream', () => {
  it('are made in the order in which they come, one at a time; other streams do not wait for them', async () => {
    const turns = createTurns();
    const done: number[] = [];
    let running = 0;
    const change = (n: number) => async () => {
      running += 1;
      expect(running).to.equal(1);
      await delay(Math.random() * 2);
      running -= 1;
      done.push(n);
    };
    const order = Array.from({ length: 50 }, (_, n) => n);
    const changes = order.map((n) => turns.take('one', change(n)));
    await turns.take('other', async () => undefined);
    expect(done.length).to.be.below(50);
    await Promise.all(changes);
    expect(done).to.deep.equal(order);
  });

  it('go on after one that fails', async () => {
    const turns = createTurns();
    const failing = turns.take('one', () => Promise.reject(new Error('broken')));
    expect(await turns.take('one', async () => 'fine')).to.equal('fine');
    expect(await failing.catch((error: Error) => error.message)).to.equal('broken');
  });

  it('are refused with a time for the next attempt where too many wait', async () => {
    const turns = createTurns({ most: 2 });
    const gate = Promise.withResolvers<void>();
    const waiting = [turns.take('one', () => gate.promise), turns.take('one', () => gate.promise)];
    const { kind, code, retryAfterSeconds } = await refusalOf(turns.take('one', () => gate.promise));
    expect([kind, code, retryAfterSeconds]).to.deep.equal(['unavailable', 'stream-busy', 1]);
    gate.resolve();
    await Promise.all(waiting);
    expect(await turns.take('one', async () => 'room again')).to.equal('room again');
  });

  it('are refused where their turn comes too late, without being begun', async () => {
    const turns = createTurns({ timeout_ms: 20 });
    const slow = turns.take('one', () => delay(60));
    let isBegun = false;
    const late = turns.take('one', async () => {
      isBegun = true;
    });
    expect((await refusalOf(late)).code).to.equal('stream-busy');
    expect(isBegun).to.equal(false);
    await slow;
  });

  it('are repeated after conflicts with other processes, for a bounded time', async () => {
    const conflict = () => Promise.reject(new WrongExpectedRevision('one', 1, 2));
    const turns = createTurns({ timeout_ms: 50 });
    const rounds: number[] = [];
    const work = (round: number) => {
      rounds.push(round);
      return round < 12 ? conflict() : Promise.resolve('done');
    };
    expect(await createTurns().take('one', work)).to.equal('done');
    expect(rounds).to.have.length(12);
    const { kind, code, retryAfterSeconds } = await refusalOf(turns.take('one', conflict));
    expect([kind, code, retryAfterSeconds]).to.deep.equal(['conflict', 'concurrent-change', 1]);
  });
});
