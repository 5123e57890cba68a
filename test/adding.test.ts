import { existsSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { Area, eventTypes } from '../src/events/catalog.ts';

const ROOT = new URL('../', import.meta.url);
const text = readFileSync(new URL('docs/adding.md', ROOT), 'utf8');
/** The files that the walk names, as it writes them. */
const named = [...text.matchAll(/`((?:src|test|docs)\/[^`]+\.(?:ts|json|md))`/g)].map(([, path]) => path ?? '');

const exists = (path: string): boolean => existsSync(new URL(path, ROOT));

describe('docs/adding.md', () => {
  it('names only files that are there', () => {
    const fixed = named.filter((path) => !path.includes('<'));
    expect(fixed).to.include('src/events/visibility.ts');
    expect(fixed.filter((path) => !exists(path))).to.deep.equal([]);
  });

  for (const area of Area.options) {
    it(`tells where the files of ${area} are`, () => {
      // The tests of commands on projects and users share a file.
      const own = named.filter((path) => path.includes('<area>') && !path.startsWith('test/'));
      const paths = own.map((path) => path.replaceAll('<area>', area)).filter((path) => !path.includes('<'));
      expect(paths.length).to.be.at.least(5);
      expect(paths.filter((path) => !exists(path))).to.deep.equal([]);
    });
  }

  it('tells where the stored shape of a fact is', () => {
    const [pattern = ''] = named.filter((path) => path.includes('<fact>'));
    expect(exists(pattern.replace('<fact>', eventTypes()[0] ?? ''))).to.equal(true);
  });
});
