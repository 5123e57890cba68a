import { expect } from 'chai';
import { Position, type RecordedEvent } from '../../../src/events/event.ts';
import { batches } from '../../../src/projections/engine/batches.ts';
import { anEvent } from '../../contract/log.ts';

const MEBIBYTE = 1024 * 1024;

const eventsOf = (count: number, text: string) =>
  Array.from({ length: count }, (_, n): RecordedEvent => {
    const position = Position.parse(String(n + 1).padStart(16, '0'));
    return { ...anEvent({ text }), stream: 'thing-1', revision: n, position, at: '2026-01-31T12:00:00.000Z' };
  });

const sizesOf = async (events: readonly RecordedEvent[]): Promise<number[]> => {
  async function* source() {
    yield* events;
  }
  const sizes: number[] = [];
  for await (const batch of batches(source(), { max: 100, linger_ms: 60_000 })) sizes.push(batch.events.length);
  return sizes;
};

describe('a batch of the log', () => {
  it('has at most so many events', async () => {
    expect(await sizesOf(eventsOf(250, 'small'))).to.deep.equal([100, 100, 50]);
  });

  it('ends earlier where its events are large: with 16 MiB', async () => {
    expect(await sizesOf(eventsOf(40, 'x'.repeat(MEBIBYTE)))).to.deep.equal([16, 16, 8]);
  });
});
