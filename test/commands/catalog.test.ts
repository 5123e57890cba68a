import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { commandCatalog } from '../../src/commands/catalog.ts';

const textsIn = (folder: URL): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(folder.pathname, name), 'utf8'));

interface Written {
  type: string;
  /** False: only BudApp itself may send it; the tests of processes see what it does. */
  isForPersons: boolean;
}

const written = textsIn(new URL('../../src/commands/', import.meta.url)).flatMap((text): Written[] => {
  const [, type] = /^ {2}type: '(\w+)',$/m.exec(text) ?? [];
  return type === undefined ? [] : [{ type, isForPersons: !text.includes("  permission: 'system',\n") }];
});

describe('the catalog of commands', () => {
  it('lists every command that has a file, once', () => {
    const types = written.map(({ type }) => type);
    expect(types).to.include('DeployModel');
    expect(commandCatalog.map(({ type }) => type).sort()).to.deep.equal(types.sort());
  });

  it('has a test of every decision that a person may ask for', () => {
    const tests = textsIn(new URL('.', import.meta.url)).join('\n');
    const untested = written.filter(({ type, isForPersons }) => {
      const name = type.charAt(0).toLowerCase() + type.slice(1);
      return isForPersons && !new RegExp(`\\.when\\(${name}\\b|command: ${name}\\b`).test(tests);
    });
    expect(untested.map(({ type }) => type)).to.deep.equal([]);
  });
});
