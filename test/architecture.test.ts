import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { expect } from 'chai';

const ROOT = new URL('../src/', import.meta.url).pathname;

const everything = readdirSync(ROOT, { recursive: true, withFileTypes: true });
const files = everything
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length));
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

const FACTS = ['events', 'contracts', 'errors.ts', 'ports'];
/** Mechanisms that know nothing of the domain. */
const MECHANISMS = ['failures', 'canonical-json.ts', 'storable-text.ts', 'resilience', 'postgres'];

/** What each place may import besides itself: docs/architecture.md. */
const PLACES: Readonly<Record<string, readonly string[] | 'all'>> = {
  events: [],
  contracts: [],
  failures: [],
  'canonical-json.ts': [],
  'storable-text.ts': [],
  resilience: ['failures'],
  postgres: ['failures', 'resilience'],
  'errors.ts': ['events', 'contracts', 'failures'],
  ports: ['events', 'contracts', 'errors.ts', 'failures'],
  commands: [...FACTS, ...MECHANISMS],
  projections: [...FACTS, ...MECHANISMS],
  processes: [...FACTS, ...MECHANISMS, 'commands', 'projections'],
  api: [...FACTS, ...MECHANISMS, 'commands', 'projections'],
  adapters: [...FACTS, ...MECHANISMS],
  local: [...FACTS, ...MECHANISMS],
  // It uses BudApp as anybody does: over HTTP and WebSocket.
  demo: [],
  'telemetry.ts': ['failures'],
  config: [...FACTS, 'failures', 'resilience'],
  wiring: 'all',
  'main.ts': 'all',
  'cli.ts': 'all',
};
/** Imported by nobody but these. */
const ONLY_FROM: Readonly<Record<string, readonly string[]>> = {
  demo: ['cli.ts'],
  wiring: ['main.ts', 'cli.ts'],
  'main.ts': ['cli.ts'],
  'cli.ts': [],
};

const FORBIDDEN_NAMES = ['utils', 'helpers', 'common', 'misc', 'types', 'base'];
const MAX_LINES = 300;
/** A folder with more files of its own becomes folders. */
const MAX_FILES = 25;
/** Longer files, each with its reason. */
const LONG_FILES: Readonly<Record<string, string>> = {};

/** Files that double a time and are no retry of ours, each with its reason. */
const DOUBLING: Readonly<Record<string, string>> = {
  'local/identity/attempt-limit.ts': 'locks a person out, for an exact time that the answer names',
  'local/cluster/worker.ts': 'restarts a replica after an exact time that its log names',
};

/** What is stated once, how it would be spelled a second time, and the file to call instead. */
const STATED_ONCE = [
  { what: 'a back-off', spelled: /\b2 \*\* (?:\(|[a-z])/i, home: 'resilience/backoff.ts' },
  { what: 'a code of TLS', spelled: /\b(?:CERT_|UNABLE_TO_|SELF_SIGNED_)[A-Z]/, home: 'adapters/certificates.ts' },
];

const placeOf = (file: string): string => file.split('/')[0] ?? file;
const relativeImports = (file: string): string[] =>
  [...read(file).matchAll(/(?:\bfrom\s+|\bimport\s*\(\s*|^import\s+)['"](\.[^'"]+)['"]/gm)].map(([, path]) =>
    normalize(join(dirname(file), path ?? '')),
  );

const mayImport = (from: string, to: string): boolean => {
  if (from === to) return true;
  const onlyFrom = ONLY_FROM[to];
  if (onlyFrom) return onlyFrom.includes(from);
  const allowed = PLACES[from];
  return allowed === 'all' || (allowed?.includes(to) ?? false);
};

/** Which imports of a file break the rules; as "file imports path". */
const brokenImports = (file: string): string[] =>
  relativeImports(file)
    .filter((path) => !mayImport(placeOf(file), placeOf(path)))
    .map((path) => `${file} imports ${path}`);

/** The area whose command or state a file is; null for the engine of all commands and for files of no area. */
const areaOf = (file: string): string | null => {
  const [, folder] = /^commands\/([^/]+)\//.exec(file) ?? [];
  return folder === undefined || folder === 'engine' ? null : folder;
};

describe('architecture', () => {
  it('sees the source files', () => {
    expect(files).to.include.members(['errors.ts', 'commands/engine/handle.ts', 'events/catalog.ts']);
    expect(relativeImports('commands/project/create-project.ts')).to.include('events/ids.ts');
  });

  it('knows every folder and every file at the root', () => {
    const places = new Set(everything.map((e) => placeOf(join(e.parentPath, e.name).slice(ROOT.length))));
    expect([...places].filter((place) => !(place in PLACES))).to.deep.equal([]);
  });

  it('is imported only towards the facts', () => {
    expect(files.flatMap(brokenImports)).to.deep.equal([]);
  });

  it('would notice an import across a bar', () => {
    expect(mayImport('commands', 'projections')).to.equal(false);
    expect(mayImport('api', 'processes')).to.equal(false);
    expect(mayImport('events', 'errors.ts')).to.equal(false);
    expect(mayImport('processes', 'commands')).to.equal(true);
    expect(mayImport('resilience', 'failures')).to.equal(true);
    expect(mayImport('failures', 'resilience')).to.equal(false);
  });

  it("takes of another area's commands only the state", () => {
    const broken = files.flatMap((file) => {
      const area = areaOf(file);
      if (!area) return [];
      const others = relativeImports(file).filter((path) => areaOf(path) !== null && areaOf(path) !== area);
      return others.filter((path) => basename(path) !== `${areaOf(path)}-state.ts`).map((path) => `${file}: ${path}`);
    });
    expect(broken).to.deep.equal([]);
  });

  it('reads the environment in one file only', () => {
    expect(files.filter((file) => /\bprocess\.env\b/.test(read(file)))).to.deep.equal(['config/config.ts']);
  });

  for (const { what, spelled, home } of STATED_ONCE) {
    it(`states ${what} in one file only`, () => {
      expect(files.filter((file) => spelled.test(read(file)) && !(file in DOUBLING))).to.deep.equal([home]);
    });
  }

  it('has no barrels', () => {
    expect(
      files.filter((file) => /^export\s+(?:type\s+)?(?:\*|\{[^}]*\})\s*from\s*['"]\./m.test(read(file))),
    ).to.deep.equal([]);
  });

  it('has no junk drawers', () => {
    const names = files.flatMap((file) =>
      file
        .replace(/\.ts$/, '')
        .split('/')
        .map((part) => ({ file, part })),
    );
    expect(names.filter(({ part }) => FORBIDDEN_NAMES.includes(part))).to.deep.equal([]);
  });

  it('names a command file after the command', () => {
    const wrong = files.filter((file) => {
      const [, type] = /^ {2}type: '(\w+)',$/m.exec(areaOf(file) ? read(file) : '') ?? [];
      if (!type) return false;
      const kebab = type.replace(/(?<!^)([A-Z])/g, '-$1').toLowerCase();
      const camel = type.charAt(0).toLowerCase() + type.slice(1);
      return basename(file) !== `${kebab}.ts` || !read(file).includes(`export const ${camel} = `);
    });
    expect(wrong).to.deep.equal([]);
  });

  it(`has at most ${MAX_FILES} files of code in a folder, in src and in test`, () => {
    const tests = readdirSync(new URL('.', import.meta.url), { recursive: true, encoding: 'utf8' });
    const code = [...files, ...tests.filter((file) => file.endsWith('.ts')).map((file) => join('test', file))];
    const full = [...Map.groupBy(code, dirname)].filter(([, inside]) => inside.length > MAX_FILES);
    expect(full.map(([folder]) => folder)).to.deep.equal([]);
  });

  it('keeps what only BudApp itself may send apart', () => {
    const misplaced = files.filter(
      (file) => areaOf(file) && /^ {2}permission: 'system',$/m.test(read(file)) !== file.includes('/internal/'),
    );
    expect(misplaced).to.deep.equal([]);
  });

  it('has the files that docs/architecture.md names by their paths', () => {
    const text = readFileSync(join(ROOT, '../docs/architecture.md'), 'utf8');
    const named = [...text.matchAll(/\b(?:src\/)?((?:[\w-]+\/)+[\w-]+\.ts)\b/g)].flatMap(([, path]) => path ?? []);
    expect(named).to.include('projections/clusters.ts');
    const known = new Set([...files, ...files.map((file) => file.replace(/^wiring\//, ''))]);
    expect(named.filter((path) => !path.startsWith('test/') && !known.has(path))).to.deep.equal([]);
  });

  it(`keeps files under ${MAX_LINES} lines`, () => {
    const long = files.filter((file) => read(file).split('\n').length > MAX_LINES && !(file in LONG_FILES));
    expect(long).to.deep.equal([]);
  });
});
