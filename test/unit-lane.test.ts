import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const root = fileURLToPath(new URL('..', import.meta.url));

describe('the unit lane', () => {
  it('finds a file for each pattern that it lists', () => {
    const { spec } = JSON.parse(readFileSync(`${root}.mocharc.unit.json`, 'utf8')) as { spec: string[] };
    // Mocha looks for the braces themselves where we mean a choice.
    const empty = spec.filter((pattern) => pattern.includes('{') || globSync(pattern, { cwd: root }).length === 0);
    expect(empty).to.deep.equal([]);
  });
});
