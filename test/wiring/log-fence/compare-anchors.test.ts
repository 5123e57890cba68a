import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import { Position } from '../../../src/events/event.ts';
import { EventId } from '../../../src/events/ids.ts';
import type { Standing } from '../../../src/ports/log.ts';
import type { Anchor } from '../../../src/ports/log-fence.ts';
import { differenceIn } from '../../../src/wiring/log-fence/compare-anchors.ts';

const anchor = (position: string, event_id: EventId | null = EventId.parse(randomUUID())): Anchor => ({
  position: Position.parse(position),
  event_id,
  stream: null,
});

const itself = (of: Anchor) => ({ anchor: of, standing: { id: of.event_id ?? randomUUID() } });
const found = (of: Anchor, standing: Standing) => ({ anchor: of, standing });

describe('the comparison of anchors with a log', () => {
  const old = anchor('1');
  const recent = anchor('2');

  it('finds no difference where each event is in its place, or where nothing is known', () => {
    expect(differenceIn([])).to.equal(null);
    expect(differenceIn([itself(old), itself(recent)])).to.equal(null);
  });

  it('finds one where another event is in the place, names the newest, and lists all', () => {
    const standing = { id: randomUUID() };
    expect(differenceIn([found(recent, standing), found(old, standing)])).to.deep.equal({
      missing: [recent, old],
      newest: recent,
      standing,
    });
    expect(differenceIn([itself(old), found(recent, standing)])).to.include({ newest: recent });
  });

  it('finds one where the place is inside another record or beyond the end, also of an event whose id is not known', () => {
    const unnamed = anchor('3', null);
    for (const standing of ['inside-another', 'beyond-end'] as const) {
      expect(differenceIn([itself(old), found(recent, standing)])).to.include({ newest: recent, standing });
      expect(differenceIn([itself(old), found(unnamed, standing)])).to.include({ newest: unnamed, standing });
    }
  });

  it('takes an event that is gone for scavenged while others are in their place', () => {
    expect(differenceIn([found(old, 'none'), itself(recent)])).to.equal(null);
    expect(differenceIn([itself(old), found(recent, 'none')])).to.equal(null);
  });

  it('finds one where all are gone: nothing shows that it is the same history', () => {
    expect(differenceIn([found(old, 'none'), found(recent, 'none')])).to.include({ newest: recent, standing: 'none' });
  });

  it('knows nothing of what is at a position whose event is not known', () => {
    expect(differenceIn([found(anchor('1', null), { id: randomUUID() })])).to.equal(null);
    expect(differenceIn([found(anchor('1', null), 'none')])).to.equal(null);
  });
});
