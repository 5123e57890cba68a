import { readFileSync } from 'node:fs';

/** A line of a walk in docs/adding.md. */
export interface Step {
  /** As the document has it, with `<area>`, `<fact>`, `<command>` and `<number>`. */
  path: string;
  /** Who asks for it: the compiler, a test; null: nobody can. */
  asked_by: 'compiler' | 'test' | null;
  /** Whether the path may be this step's. */
  isOf(path: string): boolean;
}

const DOCUMENT = new URL('../../docs/adding.md', import.meta.url);
const STEP = /^\d+\. `([^`]+)`(?: \(([ct])\))?: /gm;
const ASKED_BY = { c: 'compiler', t: 'test' } as const;

const patternOf = (path: string, area: string): RegExp => {
  const source = path
    .replaceAll('<area>', area)
    .replaceAll(/[.]/g, '\\.')
    .replaceAll('<fact>', '[A-Z][A-Za-z]+')
    .replaceAll('<number>', '\\d{4}')
    // A list and a state are no commands.
    .replaceAll('<command>', `(?!${area}-(?:state|commands)\\.)[a-z-]+`);
  return new RegExp(`^${source}$`);
};

/** The steps under a heading, in their order. Throws where the document has a line that is no step. */
export const readWalk = (heading: string, area: string): Step[] => {
  const text = readFileSync(DOCUMENT, 'utf8');
  const [, section = ''] = text.split(`## ${heading}\n`);
  const [walk = ''] = section.split('\n## ');
  const steps = [...walk.matchAll(STEP)].map(([, path = '', mark]): Step => {
    const pattern = patternOf(path, area);
    const asked_by = mark === 'c' || mark === 't' ? ASKED_BY[mark] : null;
    return { path, asked_by, isOf: (candidate) => pattern.test(candidate) };
  });
  const numbered = walk.match(/^\d+\./gm) ?? [];
  if (steps.length === 0 || steps.length !== numbered.length) throw new Error(`a line of "${heading}" is no step`);
  return steps;
};
