import { expect } from 'chai';
import { createWriteOrder } from './write-order.ts';

describe('Writes that come at once to the EventStoreDB double', () => {
  const writes = Array.from({ length: 40 }, (_, n) => ({ write: { stream: `s-${n % 5}` }, n }));

  it('land in another order, the same for the same seed', () => {
    const order = createWriteOrder(1)(writes);
    expect(order).to.have.members(writes).and.not.deep.equal(writes);
    expect(createWriteOrder(1)(writes)).to.deep.equal(order);
    expect(createWriteOrder(2)(writes)).to.not.deep.equal(order);
  });

  it('keep their order within a stream', () => {
    const order = createWriteOrder(3)(writes);
    for (const stream of ['s-0', 's-4']) {
      const numbers = order.filter(({ write }) => write.stream === stream).map(({ n }) => n);
      expect(numbers)
        .to.deep.equal(numbers.toSorted((a, b) => a - b))
        .and.have.length(8);
    }
  });
});
