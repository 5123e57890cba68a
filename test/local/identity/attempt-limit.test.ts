import { expect } from 'chai';
import { createAttemptLimit } from '../../../src/local/identity/attempt-limit.ts';

describe('attempt limit', () => {
  let time = 0;
  const limit = () => createAttemptLimit({ now: () => time });
  const fail = (attempts: ReturnType<typeof limit>, times: number) => {
    for (let count = 0; count < times; count += 1) attempts.failed('a');
  };

  beforeEach(() => {
    time = 1_000_000;
  });

  it('lets an account fail a few times', () => {
    const attempts = limit();
    fail(attempts, 4);
    expect(attempts.waitMs('a')).to.equal(0);
  });

  it('doubles the wait with every further failure, up to a minute', () => {
    const attempts = limit();
    fail(attempts, 5);
    expect(attempts.waitMs('a')).to.equal(2_000);
    fail(attempts, 1);
    expect(attempts.waitMs('a')).to.equal(4_000);
    fail(attempts, 50);
    expect(attempts.waitMs('a')).to.equal(60_000);
  });

  it('lets the account try again after the wait', () => {
    const attempts = limit();
    fail(attempts, 5);
    time += 2_000;
    expect(attempts.waitMs('a')).to.equal(0);
  });

  it('forgives after a success, and after a quarter of an hour', () => {
    const attempts = limit();
    fail(attempts, 8);
    attempts.succeeded('a');
    fail(attempts, 1);
    expect(attempts.waitMs('a')).to.equal(0);
    fail(attempts, 8);
    time += 15 * 60_000;
    fail(attempts, 1);
    expect(attempts.waitMs('a')).to.equal(0);
  });

  it('does not make other accounts wait', () => {
    const attempts = limit();
    fail(attempts, 20);
    expect(attempts.waitMs('b')).to.equal(0);
  });
});
