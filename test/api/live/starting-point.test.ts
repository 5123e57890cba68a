import { expect } from 'chai';
import { startingPoint } from '../../../src/api/live/subscription.ts';
import { Position } from '../../../src/events/event.ts';

const at = (n: number) => Position.parse(String(n).padStart(16, '0'));

describe('where a client of the live stream goes on from', () => {
  it('is the end of the log, where it asks for what comes from now on or says nothing', () => {
    for (const from of ['now', undefined] as const) {
      expect(startingPoint(from, at(5))).to.deep.equal({ after: at(5), reset: null });
      expect(startingPoint(from, null)).to.deep.equal({ after: 'start', reset: null });
    }
  });

  it('is the start or the position that it asks for', () => {
    expect(startingPoint('start', at(5))).to.deep.equal({ after: 'start', reset: null });
    for (const n of [1, 5]) expect(startingPoint(at(n), at(5))).to.deep.equal({ after: at(n), reset: null });
  });

  it('is the end of the log, after a reset, where the log is not the one that the position is of', () => {
    expect(startingPoint(at(6), at(5)).after).to.equal(at(5));
    expect(startingPoint(at(6), at(5)).reset).to.contain('does not reach');
    expect(startingPoint(at(1), null))
      .to.include({ after: 'start' })
      .and.have.property('reset')
      .that.is.a('string');
    const ofAnotherLog = Position.parse('00000000000003e8-00000000000003e8');
    expect(startingPoint(ofAnotherLog, at(5)).after).to.equal(at(5));
    expect(startingPoint(ofAnotherLog, at(5)).reset).to.contain('moved');
  });
});
