import { expect } from 'chai';
import { pause } from '../../../src/adapters/eventstore/connection.ts';

/** The order in which they end, which a busy machine does not change. */
const orderOf = async (pauses: Readonly<Record<string, () => Promise<void>>>): Promise<string[]> => {
  const ended: string[] = [];
  await Promise.all(Object.entries(pauses).map(([name, begin]) => begin().then(() => ended.push(name))));
  return ended;
};

describe('the pauses between two attempts to reach EventStoreDB', () => {
  const { random } = Math;
  afterEach(() => {
    Math.random = random;
  });
  const pauseWith = (failures: number, chance: number) => () => {
    Math.random = () => chance;
    return pause(failures);
  };

  it('grow with every failure', async () => {
    const pauses = { third: pauseWith(3, 0), second: pauseWith(2, 0), first: pauseWith(0, 0) };
    expect(await orderOf(pauses)).to.deep.equal(['first', 'second', 'third']);
  });

  it('are not the same for two that failed together', async () => {
    const pauses = { late: pauseWith(3, 0.99), early: pauseWith(3, 0) };
    expect(await orderOf(pauses)).to.deep.equal(['early', 'late']);
  });

  it('end at once when there is nothing more to wait for', async () => {
    const outcome = await pause(30, AbortSignal.abort()).catch((error: Error) => error.name);
    expect(outcome).to.equal('AbortError');
  });
});
