import { expect } from 'chai';
import pino from 'pino';
import { createOutage, createSharedOutage, type OutageLine, type OutageOptions } from '../../src/resilience/outage.ts';

/** Of an outage whose failures are the lines to tell, with a clock that is set by hand. */
const theOptions = () => {
  const lines: { level: number; msg: string; [field: string]: unknown }[] = [];
  const clock = { ms: 1000 };
  const logger = pino({ base: null, timestamp: false }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const options: OutageOptions<OutageLine> = {
    logger,
    failing: (line) => line,
    working: 'the store can be used again',
    repeat_ms: 60_000,
    now: () => clock.ms,
  };
  return { lines, clock, options };
};

const anOutage = () => {
  const { options, ...seen } = theOptions();
  return { ...seen, outage: createOutage(options) };
};

const aSharedOutage = () => {
  const { options, ...seen } = theOptions();
  return { ...seen, outage: createSharedOutage(options) };
};

const AWAY = { message: 'the store is away: look at STORE_URL', fields: { setting: 'STORE_URL' } };
const REFUSED: OutageLine = { level: 'error', message: 'the store refuses us: look at STORE_TOKEN' };

describe('an outage', () => {
  it('is logged once for any number of failures, and its end once, with its duration', () => {
    const { lines, clock, outage } = anOutage();
    for (let count = 0; count < 100; count += 1) {
      outage.failed(AWAY);
      clock.ms += 20;
    }
    outage.ok({ server: 'second' });
    outage.ok();
    expect(lines).to.deep.equal([
      { level: 40, setting: 'STORE_URL', msg: AWAY.message },
      { level: 30, server: 'second', outage_ms: 2000, msg: 'the store can be used again' },
    ]);
  });

  it('is logged again while it lasts', () => {
    const { lines, clock, outage } = anOutage();
    outage.failed(AWAY);
    clock.ms += 59_999;
    outage.failed(AWAY);
    clock.ms += 1;
    outage.failed(AWAY);
    outage.failed(AWAY);
    expect(lines.map(({ outage_ms }) => outage_ms)).to.deep.equal([undefined, 60_000]);
  });

  it('is logged again when its reason changes, and ends once', () => {
    const { lines, clock, outage } = anOutage();
    outage.failed(AWAY);
    clock.ms += 500;
    outage.failed(REFUSED);
    outage.failed(REFUSED);
    clock.ms += 500;
    outage.ok();
    expect(lines.map(({ level, outage_ms }) => [level, outage_ms])).to.deep.equal([
      [40, undefined],
      [50, 500],
      [30, 1000],
    ]);
  });

  it('is logged again after it has ended', () => {
    const { lines, outage } = anOutage();
    outage.failed(AWAY);
    outage.ok();
    outage.failed(AWAY);
    expect(lines.map(({ level }) => level)).to.deep.equal([40, 30, 40]);
  });

  it('has no end where nothing failed', () => {
    const { lines, outage } = anOutage();
    outage.ok();
    expect(lines).to.deep.equal([]);
  });
});

describe('an outage that several find out about', () => {
  it('lasts until the last of them that fails has succeeded, whatever the others do', () => {
    const { lines, outage } = aSharedOutage();
    const [stuck, other] = [outage.part(), outage.part()];
    for (let n = 0; n < 91; n += 1) {
      stuck.failed(AWAY);
      other.failed(AWAY);
      other.ok();
    }
    expect(lines.map(({ level }) => level)).to.deep.equal([40]);
    stuck.ok();
    expect(lines.map(({ level }) => level)).to.deep.equal([40, 30]);
  });

  it('lasts for a while after one of them has given up, since the next may fare the same', () => {
    const { lines, clock, outage } = aSharedOutage();
    const other = outage.part();
    for (let n = 0; n < 10; n += 1) {
      const givesUp = outage.part();
      givesUp.failed(AWAY);
      givesUp.end();
      clock.ms += 10_000;
      other.ok();
    }
    expect(lines.map(({ level }) => level)).to.not.include(30);
    clock.ms += 30_000;
    other.ok();
    expect(lines.at(-1)?.level).to.equal(30);
  });

  it('is not kept going by one that has ended without a failure', () => {
    const { lines, outage } = aSharedOutage();
    outage.part().end();
    const part = outage.part();
    part.failed(AWAY);
    part.ok();
    expect(lines.map(({ level }) => level)).to.deep.equal([40, 30]);
  });
});
