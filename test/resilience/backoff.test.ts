import { expect } from 'chai';
import { type BackoffPolicy, backoff, waitForRetry } from '../../src/resilience/backoff.ts';

const POLICY: BackoffPolicy = { first_ms: 100, longest_ms: 5000 };

describe('the pause between two attempts', () => {
  for (const { failures, shortest, longest } of [
    { failures: 1, shortest: 50, longest: 100 },
    { failures: 2, shortest: 100, longest: 200 },
    { failures: 3, shortest: 200, longest: 400 },
    { failures: 6, shortest: 1600, longest: 3200 },
    { failures: 7, shortest: 2500, longest: 5000 },
    { failures: 5000, shortest: 2500, longest: 5000 },
  ]) {
    it(`is ${shortest} to ${longest} ms at failure ${failures}`, () => {
      expect(backoff(failures, POLICY, () => 0)).to.equal(shortest);
      expect(backoff(failures, POLICY, () => 1)).to.equal(longest);
    });
  }

  it('differs for those that failed together', () => {
    const pauses = Array.from({ length: 100 }, () => backoff(7, POLICY));
    expect(new Set(pauses).size).to.be.greaterThan(10);
    expect(Math.min(...pauses)).to.be.at.least(2500);
    expect(Math.max(...pauses)).to.be.at.most(5000);
  });

  it('passes before the next attempt', async () => {
    const start = performance.now();
    await waitForRetry(1, { first_ms: 60, longest_ms: 60 });
    expect(performance.now() - start).to.be.at.least(29);
  });

  it('ends at once, without an error, when there is nothing more to wait for', async () => {
    const ending = new AbortController();
    const start = performance.now();
    const waiting = waitForRetry(1, { first_ms: 60_000, longest_ms: 60_000 }, ending.signal);
    ending.abort();
    await waiting;
    await waitForRetry(1, { first_ms: 60_000, longest_ms: 60_000 }, ending.signal);
    expect(performance.now() - start).to.be.lessThan(29_000);
  });
});
