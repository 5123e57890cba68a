import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';

const DOCS = new URL('../../docs/', import.meta.url);

/** Set by `npm run docs:write`: the generated parts are written instead of checked. */
const isWriting = process.env.WRITE_DOCS === '1';

const markersOf = (name: string) => ({ begin: `<!-- generated: ${name} -->\n`, end: `<!-- end: ${name} -->` });

/** The text between the markers of a document in `docs`; null where it has none. */
const partOf = (text: string, name: string): { before: string; part: string; after: string } | null => {
  const { begin, end } = markersOf(name);
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) return null;
  const first = from + begin.length;
  return { before: text.slice(0, first), part: text.slice(first, to), after: text.slice(to) };
};

/** Asserts that a generated part of a document is what the code does, or writes it. */
export const checkGeneratedPart = (file: string, name: string, wanted: string): void => {
  const path = new URL(file, DOCS);
  const text = readFileSync(path, 'utf8');
  const found = partOf(text, name);
  if (!found) throw new Error(`docs/${file} has no part "${name}": put its two markers where it belongs`);
  if (isWriting) {
    writeFileSync(path, `${found.before}${wanted}${found.after}`);
    return;
  }
  expect(found.part, `docs/${file} is not what the code does: npm run docs:write, and read the difference`).to.equal(
    wanted,
  );
};
