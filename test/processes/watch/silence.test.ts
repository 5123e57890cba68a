import { expect } from 'chai';
import { createConfirmation } from '../../../src/processes/watch/confirmation.ts';
import { createSilence } from '../../../src/processes/watch/silence.ts';

const aSilence = () => {
  let time = 1_000_000;
  const silence = createSilence({ silence_ms: 45, grace_ms: 20, now: () => time });
  return {
    ...silence,
    pass: (ms: number) => {
      time += ms;
    },
  };
};

describe('silence', () => {
  it('begins where a subject was not heard of for so long', () => {
    const { adopt, heard, isSilent, pass } = aSilence();
    adopt('a', null);
    pass(44);
    expect(isSilent('a')).to.equal(false);
    pass(1);
    expect(isSilent('a')).to.equal(true);
    heard('a');
    expect(isSilent('a')).to.equal(false);
  });

  it('goes on over a restart, with a time of grace', () => {
    const { adopt, isSilent, pass } = aSilence();
    adopt('just heard', 5);
    adopt('old', 1_000_000);
    expect(isSilent('old')).to.equal(false);
    pass(20);
    expect([isSilent('old'), isSilent('just heard')]).to.deep.equal([true, false]);
    pass(20);
    expect(isSilent('just heard')).to.equal(true);
  });

  it('does not follow a clock that was set: what is stored counts once, at the start', () => {
    const { adopt, isSilent, pass } = aSilence();
    adopt('a', -86_400_000);
    adopt('a', 86_400_000);
    pass(44);
    expect(isSilent('a')).to.equal(false);
    pass(1);
    expect(isSilent('a')).to.equal(true);
  });

  it('does not count the time in which nobody listened', () => {
    const { adopt, excuse, isSilent, pass } = aSilence();
    adopt('a', null);
    pass(10_030);
    excuse(10_000);
    expect(isSilent('a')).to.equal(false);
    pass(15);
    expect(isSilent('a')).to.equal(true);
    excuse(10_000_000);
    pass(44);
    expect(isSilent('a')).to.equal(false);
  });

  it('knows nothing of what it never heard of, or was told to forget', () => {
    const { adopt, keepOnly, isSilent, pass } = aSilence();
    adopt('a', null);
    keepOnly(new Set(['b']));
    pass(1000);
    expect([isSilent('a'), isSilent('b')]).to.deep.equal([false, false]);
  });
});

describe('confirmation', () => {
  it('needs so many rounds in a row', () => {
    const { confirm, nextRound } = createConfirmation(2);
    expect(confirm('a')).to.equal(false);
    nextRound();
    expect([confirm('a'), confirm('b')]).to.deep.equal([true, false]);
    nextRound();
    expect(confirm('a')).to.equal(true);
    nextRound();
    nextRound();
    expect(confirm('a')).to.equal(false);
  });
});
