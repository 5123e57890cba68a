import { expect } from 'chai';
import { v7 } from 'uuid';
import { startingPoint } from '../../../src/api/live/subscription.ts';
import { Position } from '../../../src/events/event.ts';
import type { Standing } from '../../../src/ports/log.ts';
import { eventCursorOf } from '../../../src/projections/event-cursor.ts';

const at = (n: number) => Position.parse(String(n).padStart(16, '0'));

const holding = (standing: Standing) => ({ eventAt: async () => standing });
/** Where nobody asks which event is at a position. */
const unasked = {
  eventAt: async (): Promise<Standing> => {
    throw new Error('nobody has to ask');
  },
};
const point = (from: string | undefined, head: Position | null) => startingPoint(unasked, from, head);

describe('where a client of the live stream goes on from', () => {
  it('is the end of the log, where it asks for what comes from now on or says nothing', async () => {
    for (const from of ['now', undefined] as const) {
      expect(await point(from, at(5))).to.deep.equal({ after: at(5), reset: null });
      expect(await point(from, null)).to.deep.equal({ after: 'start', reset: null });
    }
  });

  it('is the start or the position that it asks for', async () => {
    expect(await point('start', at(5))).to.deep.equal({ after: 'start', reset: null });
    for (const n of [1, 5]) expect(await point(at(n), at(5))).to.deep.equal({ after: at(n), reset: null });
  });

  it('is the end of the log, after a reset, where the log is not the one that the position is of', async () => {
    const beyond = await point(at(6), at(5));
    expect(beyond.after).to.equal(at(5));
    expect(beyond.reset).to.contain('does not reach');
    expect(await point(at(1), null))
      .to.include({ after: 'start' })
      .and.have.property('reset')
      .that.is.a('string');
    const moved = await point(Position.parse('00000000000003e8-00000000000003e8'), at(5));
    expect(moved.after).to.equal(at(5));
    expect(moved.reset).to.contain('moved');
  });

  it('is the event of its cursor, and the end after a reset where another one is there, or none', async () => {
    const id = v7();
    const cursor = eventCursorOf({ position: at(3), event_id: id });
    expect(await startingPoint(holding({ id }), cursor, at(5))).to.deep.equal({ after: at(3), reset: null });
    const gone: Standing[] = [{ id: `ffffffff${id.slice(8)}` }, 'none', 'inside-another', 'beyond-end'];
    for (const standing of gone) {
      const { after, reset } = await startingPoint(holding(standing), cursor, at(5));
      expect(after).to.equal(at(5));
      expect(reset).to.contain('another history');
    }
  });
});
