import { expect } from 'chai';
import { createClockWatch } from '../../../src/adapters/oidc/clock-watch.ts';
import { createLogger } from '../../../src/telemetry.ts';

describe('clock watch', () => {
  const NOW = 1_900_000_000;

  const open = () => {
    const lines: string[] = [];
    const time = { now: NOW * 1000 };
    const log = createLogger({ level: 'warn', destination: { write: (line) => void lines.push(line) } });
    return { lines, time, clock: createClockWatch({ log, now: () => time.now }) };
  };

  it('says nothing while the clocks agree', () => {
    const { lines, clock } = open();
    for (const issuedAt of [NOW, NOW - 4, NOW + 4]) clock.tokenIssued(issuedAt);
    clock.tokenReceived(NOW - 3600);
    expect(lines).to.deep.equal([]);
  });

  for (const [ahead, words] of [
    [120, '120 s behind'],
    [-120, '120 s ahead of'],
  ] as const) {
    it(`says that our clock is ${words} the provider's, once a minute`, () => {
      const { lines, time, clock } = open();
      clock.tokenIssued(NOW + ahead);
      clock.tokenIssued(NOW + ahead);
      expect(lines).to.have.length(1);
      expect(lines[0]).to.contain(words).and.contain('NTP');
      time.now += 60_000;
      clock.tokenIssued(NOW + 60 + ahead);
      expect(lines).to.have.length(2);
      expect(clock.providerNow()).to.equal(NOW + 60 + ahead);
    });
  }

  it('learns from a token of the future, but from none of the past', () => {
    const { lines, clock } = open();
    clock.tokenReceived(NOW + 90);
    expect(lines.join()).to.contain('90 s behind');
    expect(clock.providerNow()).to.equal(NOW + 90);
    clock.tokenReceived(NOW - 500);
    clock.tokenReceived(NOW + 30);
    expect(clock.providerNow()).to.equal(NOW + 90);
  });

  it('believes what is new: a clock that was set right is right', () => {
    const { clock } = open();
    clock.tokenIssued(NOW + 120);
    clock.tokenIssued(NOW);
    expect(clock.providerNow()).to.equal(NOW);
  });
});
