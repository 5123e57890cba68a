import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { z } from 'zod';
import { definitionOf, eventTypes, toFact } from '../../src/events/catalog.ts';

const FOLDER = new URL('./fixtures/', import.meta.url);

/** A stored shape: never changed once it was written; a new version of an event gets a file of its own. */
const Fixture = z.strictObject({ type: z.string(), version: z.int(), data: z.record(z.string(), z.unknown()) });

const names = readdirSync(FOLDER).sort();
const fixtures = names.map((name) => ({
  name,
  fixture: Fixture.parse(JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8'))),
}));

describe('stored events', () => {
  it('have a fixture for every type in its newest version', () => {
    const wanted = eventTypes().map((type) => `${type}.v${definitionOf(type).version}.json`);
    expect(wanted.filter((name) => !names.includes(name))).to.deep.equal([]);
  });

  it('are of types that are still known', () => {
    const known = new Set(eventTypes());
    expect(fixtures.filter(({ fixture }) => !known.has(fixture.type)).map(({ name }) => name)).to.deep.equal([]);
  });

  for (const { name, fixture } of fixtures) {
    it(`can still be read as they were written: ${name}`, () => {
      expect(name).to.equal(`${fixture.type}.v${fixture.version}.json`);
      const { data, version } = toFact({
        ...fixture,
        id: '',
        stream: '',
        revision: 0,
        position: '',
        at: '',
        meta: {},
      } as never);
      expect(version).to.equal(definitionOf(fixture.type).version);
      const parsed = definitionOf(fixture.type).data.parse(data);
      // Nothing of what was written is lost.
      expect(parsed).to.deep.equal(data);
    });
  }
});
