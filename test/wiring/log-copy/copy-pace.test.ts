import { expect } from 'chai';
import type { Position } from '../../../src/events/event.ts';
import { createCopyPace } from '../../../src/wiring/log-copy/copy-pace.ts';

const at = (number: number) => String(number).padStart(20, '0') as Position;
const second = 1000;

describe('the pace of a copy', () => {
  const pace = () => createCopyPace({ end: at(10_000), started: 0 });

  it('is the events a second, and the time left to the end of the source', () => {
    const tell = pace();
    tell({ events: 7, copied: 7, position: at(7) }, second);
    expect(tell({ events: 70, copied: 70, position: at(70) }, 10 * second)).to.equal(
      '7 a second, about 24 minutes left',
    );
    const quick = pace();
    expect(quick({ events: 5000, copied: 5000, position: at(5000) }, 2 * second)).to.equal(
      '2,500 a second, about 2 s left',
    );
  });

  it('is not that of the comparison of what the target had already', () => {
    const tell = pace();
    expect(tell({ events: 2000, copied: 0, position: at(2000) }, second)).to.equal('2,000 a second, about 4 s left');
    tell({ events: 4000, copied: 0, position: at(4000) }, 2 * second);
    expect(tell({ events: 4015, copied: 15, position: at(4015) }, 12 * second)).to.equal(
      '1.5 a second, about 66 minutes left',
    );
  });

  it('has no end beyond that of the source at the start, nor where nothing is done yet', () => {
    const tell = pace();
    expect(tell({ events: 0, copied: 0, position: null }, second)).to.equal('');
    expect(tell({ events: 10_001, copied: 10_001, position: at(10_001) }, 10 * second)).to.equal('1,111 a second');
  });
});
