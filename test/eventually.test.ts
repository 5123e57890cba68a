import { expect } from 'chai';
import { eventually } from './eventually.ts';
import { failureOf } from './failure-of.ts';

const QUICKLY = { timeoutMs: 60 };

describe('eventually', () => {
  it('answers what it finds, however often it looked before', async () => {
    const seen = [null, undefined, false, 0, 1];
    expect(await eventually('a number is there', () => seen.shift())).to.equal(0);
    expect(seen).to.deep.equal([1]);
  });

  it('takes a claim that does not hold yet for nothing found', async () => {
    let count = 0;
    await eventually('it has counted', async () => expect(++count).to.equal(3));
    expect(count).to.equal(3);
  });

  it('says what it waited for, and what the last look saw', async () => {
    expect(await failureOf(eventually('the row is there', async () => null, QUICKLY)))
      .to.be.instanceOf(Error)
      .with.property('message', 'waited 0.06 s in vain until the row is there; the last look saw null');
  });

  it('says what the last look failed of', async () => {
    let count = 0;
    const claim = () => expect(++count).to.equal(-1);
    const failure = await failureOf(eventually('it has counted', claim, QUICKLY));
    expect(failure)
      .to.be.instanceOf(Error)
      .with.property('message')
      .that.matches(/until it has counted; the last look failed: expected \d+ to equal -1$/);
    expect(failure).to.have.property('cause').that.has.property('actual', count);
  });

  it('does not wait for a look that never ends', async () => {
    const failure = await failureOf(eventually('it answers', () => new Promise<true>(() => {}), QUICKLY));
    expect(failure)
      .to.have.property('message')
      .that.matches(/the last look failed: it did not end$/);
  });

  it('looks once even where there is no time', async () => {
    expect(await eventually('it is there', () => 'here', { timeoutMs: 0 })).to.equal('here');
  });
});
