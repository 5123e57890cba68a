import { copyFile, cp, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { basename, delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../harness/run-command.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

interface Instruction {
  name: string;
  rest: string;
}
interface Stage {
  from: string;
  instructions: readonly Instruction[];
}

/** What an image is, as far as one can tell without an engine that builds it. */
export interface Image {
  /** Its `/app`. */
  app: string;
  env: Readonly<Record<string, string>>;
  /** As `USER` says it. */
  user: string;
  /** What a container runs without a command of its own. */
  command: readonly string[];
  health_command: readonly string[];
}

const instructionsOf = (dockerfile: string): Instruction[] =>
  dockerfile
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [name = '', ...rest] = line.trim().split(/\s+/);
      return { name, rest: rest.join(' ') };
    });

const stagesOf = (instructions: readonly Instruction[]): Map<string, Stage> => {
  const stages = new Map<string, { from: string; instructions: Instruction[] }>();
  let current: { from: string; instructions: Instruction[] } | undefined;
  for (const instruction of instructions) {
    const from = instruction.name === 'FROM' ? /^(\S+) AS (\S+)$/.exec(instruction.rest) : null;
    if (from) {
      current = { from: from[1] ?? '', instructions: [] };
      stages.set(from[2] ?? '', current);
    } else current?.instructions.push(instruction);
  }
  return stages;
};

/** Those of the stages that a stage is made from, and its own, in the order in which they hold. */
const inherited = (stages: Map<string, Stage>, name: string): Instruction[] => {
  const stage = stages.get(name);
  return stage === undefined ? [] : [...inherited(stages, stage.from), ...stage.instructions];
};

const lastOf = (instructions: readonly Instruction[], name: string): string =>
  instructions.findLast((instruction) => instruction.name === name)?.rest ?? '';

const environmentOf = (instructions: readonly Instruction[]): Record<string, string> =>
  Object.fromEntries(
    instructions
      .filter(({ name }) => name === 'ENV')
      .flatMap(({ rest }) => rest.split(' ').map((pair) => pair.split('=') as [string, string])),
  );

/** `.dockerignore` names what goes in, after a `*` that keeps everything out. */
const readSendable = async (): Promise<readonly string[]> => {
  const lines = (await readFile(join(ROOT, '.dockerignore'), 'utf8'))
    .split('\n')
    .filter((line) => !/^(#|$)/.test(line));
  if (lines[0] !== '*') throw new Error('.dockerignore does not begin by keeping everything out');
  return lines.slice(1).map((line) => line.replace(/^!/, ''));
};

const copy = async (rest: string, folder: string, packages: string): Promise<void> => {
  const words = rest.split(' ');
  const target = join(folder, words.at(-1) ?? '');
  const isFolder = words.at(-1)?.endsWith('/');
  const sources = words.slice(0, -1).filter((word) => !word.startsWith('--'));
  if (words[0]?.startsWith('--from=')) {
    await cp(packages, target, { recursive: true, verbatimSymlinks: true });
    return;
  }
  const sendable = await readSendable();
  for (const source of sources) {
    if (!sendable.includes(source)) throw new Error(`.dockerignore keeps ${source} from being copied`);
    await cp(join(ROOT, source), isFolder ? join(target, basename(source)) : target, { recursive: true });
  }
};

/** Does what the Dockerfile says for `production`, in `dir`: its packages are really installed, its files copied. */
export const buildImage = async (dir: string): Promise<Image> => {
  const stages = stagesOf(instructionsOf(await readFile(join(ROOT, 'Dockerfile'), 'utf8')));
  const instructions = inherited(stages, 'production');
  const [packages, app] = [join(dir, 'packages'), join(dir, 'app')];
  await Promise.all([mkdir(packages), mkdir(app)]);
  for (const { name, rest } of stages.get('production-packages')?.instructions ?? []) {
    if (name === 'COPY') await copy(rest, packages, '');
    const path = `${dirname(process.execPath)}${delimiter}${process.env.PATH}`;
    if (name === 'RUN') await runCommand('/bin/sh', ['-c', rest], { cwd: packages, env: { PATH: path } });
  }
  for (const { name, rest } of instructions) if (name === 'COPY') await copy(rest, app, join(packages, 'node_modules'));
  const words = (name: string) => JSON.parse(lastOf(instructions, name).replace(/^[^[]*/, '')) as string[];
  return {
    app,
    env: environmentOf(instructions),
    user: lastOf(instructions, 'USER'),
    command: [...words('ENTRYPOINT'), ...words('CMD')],
    health_command: words('HEALTHCHECK'),
  };
};

/** The development packages that the image `evaluation` has. */
export const standInPackages = async (): Promise<string[]> =>
  /STAND_IN_PACKAGES="(.*)"/.exec(await readFile(join(ROOT, 'Dockerfile'), 'utf8'))?.[1]?.split(' ') ?? [];

/** The packages that the sources of BudApp load, by import or by name. */
export const packagesNeeded = async (): Promise<Set<string>> => {
  const source = join(ROOT, 'src');
  const files = (await readdir(source, { recursive: true })).filter((file) => file.endsWith('.ts'));
  const texts = await Promise.all(files.map((file) => readFile(join(source, file), 'utf8')));
  const loads =
    /(?:^(?:import|export|\})[^'"\n]* from |^import |\bimport\(|\b(?:meta|require)\.resolve\(|\brequire\()['"]((?:@[\w.-]+\/)?[a-z][\w.-]*)(?:\/[^'"]*)?['"]/gm;
  return new Set(texts.flatMap((text) => [...text.matchAll(loads)].map(([, name]) => name ?? '')));
};

/** This Node as everybody can run it, wherever this one is. */
export const copyNode = async (dir: string): Promise<string> => {
  const node = join(dir, 'node');
  await copyFile(process.execPath, node);
  return node;
};

/** Bytes of all files below the folder. */
export const sizeOf = async (folder: string): Promise<number> => {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
};
