import { existsSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { Area } from '../../src/events/catalog.ts';
import type { Change } from './change.ts';
import { noteArea } from './note-area.ts';
import { pinNote } from './pin-note.ts';
import { readWalk } from './walk.ts';

const ROOT = new URL('../../', import.meta.url);
const exists = (path: string): boolean => existsSync(new URL(path, ROOT));
const WALKS: Readonly<Record<string, readonly Change[]>> = {
  'A command with a new fact': pinNote,
  'An area': noteArea,
};

describe('docs/adding.md', () => {
  for (const [heading, changes] of Object.entries(WALKS)) {
    it(`names the files that are touched to add ${heading.toLowerCase()}, and no others`, () => {
      const steps = readWalk(heading, 'note');
      const paths = changes.map(({ path }) => path);
      expect(paths.filter((path) => !steps.some((step) => step.isOf(path)))).to.deep.equal([]);
      expect(steps.filter((step) => !paths.some(step.isOf)).map(({ path }) => path)).to.deep.equal([]);
    });
  }

  it('names only files that are there', () => {
    const text = readFileSync(new URL('docs/adding.md', ROOT), 'utf8');
    const named = [...text.matchAll(/`((?:src|test|docs)\/[^`<]+\.(?:ts|json|md))`/g)].map(([, path]) => path ?? '');
    expect(named).to.include('src/events/visibility.ts');
    expect(named.filter((path) => !exists(path))).to.deep.equal([]);
  });

  for (const area of Area.options) {
    it(`tells where the files of ${area} are`, () => {
      const own = readWalk('An area', area).filter(({ path }) => path.includes('<area>') && path.startsWith('src/'));
      const paths = own.map(({ path }) => path.replaceAll('<area>', area)).filter((path) => !path.includes('<'));
      expect(paths.length).to.be.at.least(5);
      expect(paths.filter((path) => !exists(path))).to.deep.equal([]);
    });

    it(`finds ${area} in the glossary`, () => {
      const glossary = readFileSync(new URL('docs/glossary.md', ROOT), 'utf8');
      expect(glossary).to.match(new RegExp(`^\\| ([^|]+, )?${area}(,| \\|)`, 'm'));
    });
  }
});
