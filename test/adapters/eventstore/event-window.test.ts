import { expect } from 'chai';
import fc from 'fast-check';
import { createEventWindow, type EventWindow } from '../../../src/adapters/eventstore/event-window.ts';
import { createSilenceCheck } from '../../../src/adapters/eventstore/silence.ts';
import { Position, type RecordedEvent } from '../../../src/events/event.ts';
import { anEvent } from '../../contract/log.ts';

const CAPACITY = 4;
const BYTES = 1000;
const at = (n: number) => Position.parse(String(n).padStart(16, '0'));
const recorded = (n: number): RecordedEvent => ({
  ...anEvent(n),
  ...{ stream: 'thing-1', revision: n, position: at(n), at: '2026-01-31T12:00:00.000Z' },
});
const events = Array.from({ length: 100 }, (_, n) => recorded(n + 1));

const begun = (after: Position | null, count: number): EventWindow => {
  const window = createEventWindow({ events: CAPACITY, bytes: BYTES });
  window.begin(after);
  for (const event of events.slice(0, count)) window.add(event, 1);
  return window;
};

describe('the newest events of a log', () => {
  it('reach nothing before they begin and after they are forgotten', () => {
    const window = createEventWindow({ events: CAPACITY, bytes: BYTES });
    expect([window.hasBegun(), window.reaches(null), window.reaches(at(1))]).to.deep.equal([false, false, false]);
    window.begin(at(1));
    expect([window.hasBegun(), window.reaches(null), window.reaches(at(1))]).to.deep.equal([true, false, true]);
    expect(window.end()).to.equal(at(1));
    window.add(recorded(2), 1);
    window.forget();
    expect([window.hasBegun(), window.end(), window.reaches(at(2))]).to.deep.equal([false, null, false]);
  });

  it('are kept once, though a new subscription brings them again', () => {
    const window = begun(null, 3);
    expect([2, 3, 4].map((n) => window.add(recorded(n), 1))).to.deep.equal([false, false, true]);
    expect(window.newsAfter(at(1))?.events.map(({ position }) => position)).to.deep.equal([at(2), at(3), at(4)]);
  });

  it('are no news for who has them', () => {
    expect(begun(null, 3).newsAfter(at(3))).to.equal(null);
    expect(begun(null, 0).newsAfter(null)).to.equal(null);
  });

  it('are all that came after a position that they reach, and reach at least the last of them', () => {
    fc.assert(
      fc.property(fc.nat(events.length), fc.nat(events.length), (count, read) => {
        const window = begun(null, count);
        const after = read === 0 ? null : at(read);
        if (read <= count && count - read <= CAPACITY) expect(window.reaches(after)).to.equal(true);
        if (count - read >= 2 * CAPACITY) expect(window.reaches(after)).to.equal(false);
        if (!window.reaches(after)) return;
        const news = window.newsAfter(after);
        expect(news?.events ?? []).to.deep.equal(events.slice(read, count));
        if (news) expect(news.upTo).to.equal(at(count));
      }),
    );
  });
});

describe('the newest events of a log, by their bytes', () => {
  it('are never more than twice what they may have, and always the last one', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3 * BYTES), { minLength: 1 }), (sizes) => {
        const window = createEventWindow({ events: 1000, bytes: BYTES });
        window.begin(null);
        for (const [index, size] of sizes.entries()) {
          window.add(recorded(index + 1), size);
          const reached = [...Array(index + 1).keys()].filter((n) => window.reaches(n === 0 ? null : at(n)));
          const kept = sizes.slice(reached[0] ?? index, index + 1);
          if (kept.length > 1) expect(kept.reduce((sum, bytes) => sum + bytes)).to.be.below(2 * BYTES);
          expect(reached).to.include(index);
        }
      }),
    );
  });
});

describe('the silence of a subscription', () => {
  it('is what was missing at one look and still is at the next', () => {
    const isSilent = createSilenceCheck();
    expect([isSilent(at(5), at(4)), isSilent(at(5), at(4))]).to.deep.equal([false, true]);
  });

  it('is not what was only on its way, nor a look that found nothing out', () => {
    const isSilent = createSilenceCheck();
    const looks = [
      isSilent(at(5), at(4)),
      isSilent(at(6), at(5)),
      isSilent(at(6), at(6)),
      isSilent(null, at(6)),
      isSilent(null, null),
      isSilent(at(7), null),
    ];
    expect(looks).to.deep.equal(looks.map(() => false));
  });
});
