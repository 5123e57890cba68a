import { expect } from 'chai';
import { createThrottle } from '../../src/resilience/throttle.ts';

describe('a throttle', () => {
  it('lets one line through, and the next one after a while', () => {
    const told: number[] = [];
    let now = 0;
    const throttled = createThrottle({ every_ms: 1000, now: () => now });
    for (; now < 3000; now += 100) throttled(() => told.push(now));
    expect(told).to.deep.equal([0, 1000, 2000]);
  });
});
