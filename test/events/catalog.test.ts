import { expect } from 'chai';
import { z } from 'zod';
import { parseStream, streamOf, toFact, upcast } from '../../src/events/catalog.ts';
import { event, type RecordedEvent } from '../../src/events/event.ts';

const stored = (version: number, data: unknown) => ({ type: 'Painted', version, data }) as RecordedEvent;

const painted = event('Painted', z.object({ colours: z.array(z.string()) }), {
  version: 3,
  upcast: {
    1: ({ color }: { color: string }) => ({ colour: color }),
    2: ({ colour }: { colour: string }) => ({ colours: [colour] }),
  },
});

describe('the catalogue of events', () => {
  it('turns old versions into the newest, one after the other', () => {
    expect(upcast(painted, stored(1, { color: 'red' }))).to.deep.equal({ colours: ['red'] });
    expect(upcast(painted, stored(2, { colour: 'red' }))).to.deep.equal({ colours: ['red'] });
  });

  it('refuses a version from the future, a missing upcaster, and data that does not fit', () => {
    expect(() => upcast(painted, stored(4, {}))).to.throw('newer');
    expect(() => upcast(painted, stored(0, {}))).to.throw('no upcaster from version 0');
    expect(() => upcast(painted, stored(2, {}))).to.throw();
  });

  it('refuses a type that it does not know', () => {
    expect(() => toFact(stored(1, {}))).to.throw('Painted');
  });

  it('tells streams of aggregates from those of names', () => {
    const id = '0198c0de-0000-7000-8000-000000000001';
    expect(parseStream(streamOf('endpoint', id))).to.deep.equal({ area: 'endpoint', id });
    expect(parseStream('name-project-x')).to.equal(null);
    expect(parseStream('endpoint-of somebody.else')).to.equal(null);
  });
});
