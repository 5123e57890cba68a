import { expect } from 'chai';
import fc from 'fast-check';
import { createFrameOrder } from '../../../src/api/live/frame-order.ts';
import { Position } from '../../../src/events/event.ts';

const at = (n: number) => Position.parse(String(n).padStart(16, '0'));
const frame = (n: number) => ({ position: at(n) });
type Frame = ReturnType<typeof frame>;

/** One client of a log that grows and of a bus that brings what was appended, as late as it likes. */
const startClient = (read: number, max_waiting: number) => {
  const order = createFrameOrder<Frame>({ after: read === 0 ? 'start' : at(read), max_waiting });
  const sent: Frame[] = [];
  let appended = read;
  let brought = read;
  let replaying: Frame[] = [];

  const send = (next: Frame): void => {
    if (!order.isNew(next)) return;
    order.sent(next);
    sent.push(next);
  };
  const begin = (after: Position | 'start'): void => {
    const from = after === 'start' ? 0 : Number(after);
    replaying = Array.from({ length: appended - from }, (_, n) => frame(from + n + 1));
  };
  const step = (): void => {
    const replayed = replaying.shift();
    const next = replayed ? { send: replayed } : order.isLive() ? 'live' : order.next();
    if (next === 'live') return;
    if ('send' in next) send(next.send);
    else begin(next.replay_after);
  };
  return {
    sent,
    append: () => {
      appended += 1;
    },
    bring: () => {
      if (brought === appended) return;
      brought += 1;
      if (order.arrived(frame(brought))) send(frame(brought));
    },
    step,
    settle() {
      while (brought < appended) this.bring();
      while (!order.isLive()) step();
      return Array.from({ length: appended - read }, (_, n) => frame(read + n + 1));
    },
  };
};

describe('the order of the frames of one client', () => {
  it('replays first, then sends what arrived meanwhile and was not in the log yet, then is live', () => {
    const order = createFrameOrder<Frame>({ after: at(1), max_waiting: 10 });
    expect(order.next()).to.deep.equal({ replay_after: at(1) });
    expect([order.arrived(frame(2)), order.arrived(frame(3))]).to.deep.equal([false, false]);
    order.sent(frame(2));
    expect(order.next()).to.deep.equal({ send: frame(2) });
    expect(order.isNew(frame(2))).to.equal(false);
    expect(order.next()).to.deep.equal({ send: frame(3) });
    expect(order.isLive()).to.equal(false);
    expect(order.next()).to.equal('live');
    expect([order.isLive(), order.arrived(frame(4))]).to.deep.equal([true, true]);
  });

  it('reads the log again where more arrived than may wait, also while it sends what waited', () => {
    const order = createFrameOrder<Frame>({ after: 'start', max_waiting: 1 });
    expect(order.next()).to.deep.equal({ replay_after: 'start' });
    order.arrived(frame(1));
    order.arrived(frame(2));
    order.sent(frame(1));
    expect(order.next()).to.deep.equal({ replay_after: at(1) });
    order.arrived(frame(2));
    expect(order.next()).to.deep.equal({ send: frame(2) });
    order.arrived(frame(3));
    order.arrived(frame(4));
    order.sent(frame(2));
    expect(order.next()).to.deep.equal({ replay_after: at(2) });
  });

  it('sends every frame after the position once and in order, whatever comes when', () => {
    const happenings = fc.array(fc.constantFrom('append' as const, 'bring' as const, 'step' as const), {
      maxLength: 100,
    });
    fc.assert(
      fc.property(happenings, fc.nat(2), fc.integer({ min: 1, max: 4 }), (list, read, max_waiting) => {
        const client = startClient(read, max_waiting);
        for (const happening of list) client[happening]();
        const expected = client.settle();
        expect(client.sent).to.deep.equal(expected);
      }),
    );
  });
});
