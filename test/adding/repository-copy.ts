import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { PREPARED_FOLDER } from '../e2e/prepared-folder.ts';
import { SHARED_SERVER } from '../postgres.ts';
import type { Change, Complaint } from './change.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const COPIED = ['src', 'test', 'docs', 'migrations', 'package.json', 'tsconfig.json'];

const Report = z.object({
  passes: z.array(z.object({ fullTitle: z.string() })),
  failures: z.array(
    z.object({
      fullTitle: z.string(),
      file: z.string(),
      err: z.object({ message: z.string(), actual: z.unknown().optional() }),
    }),
  ),
});

/** A copy of the repository, where the changes of a walk are compiled and tested as they would be in the repository. */
export const copyRepository = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'budapp-adding-'));
  await Promise.all(COPIED.map((name) => cp(join(ROOT, name), join(folder, name), { recursive: true })));
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));

  const run = async (...args: string[]): Promise<string> => {
    // The databases of this run lack the tables that a walk adds. The coverage of the copy is not that of the repository.
    const { [SHARED_SERVER]: _server, [PREPARED_FOLDER]: _folder, NODE_V8_COVERAGE: _coverage, ...env } = process.env;
    const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += String(text)));
    await once(child, 'close');
    return output;
  };

  const put = async ({ path, is_new, apply }: Change): Promise<() => Promise<void>> => {
    const file = join(folder, path);
    const before = is_new ? '' : await readFile(file, 'utf8');
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, apply(before), is_new ? { flag: 'wx' } : {});
    return () => (is_new ? rm(file) : writeFile(file, before));
  };

  return {
    read: (path: string): Promise<string> => readFile(join(folder, path), 'utf8'),
    /** Applies the changes, and returns the function that reverts them. */
    async add(changes: readonly Change[]): Promise<() => Promise<void>> {
      const undos: (() => Promise<void>)[] = [];
      for (const change of changes) undos.push(await put(change));
      return async () => {
        for (const undo of undos.reverse()) await undo();
      };
    },
    /** The errors of the compiler. */
    async complaints(): Promise<Complaint[]> {
      const compiler = 'node_modules/typescript/bin/tsc';
      const output = await run(
        compiler,
        '--noEmit',
        '--pretty',
        'false',
        '--incremental',
        '--tsBuildInfoFile',
        '.build',
      );
      // The further lines of an error are indented.
      return output.split(/\n(?!\s)/).flatMap((line) => {
        const [, path, text] = /^(\S+?)\(\d+,\d+\): error (.*)$/s.exec(line) ?? [];
        if (path !== undefined && text !== undefined) return [{ path, text }];
        if (line.trim() !== '') throw new Error(`the compiler did not run: ${output}`);
        return [];
      });
    },
    /** Runs test files. */
    async test(
      files: readonly string[],
    ): Promise<{ passed: string[]; failed: { file: string; title: string; message: string }[] }> {
      const report = join(folder, 'report.json');
      await rm(report, { force: true });
      const reporter = ['--reporter', 'json', '--reporter-option', `output=${report}`];
      const output = await run(
        'node_modules/mocha/bin/mocha.js',
        '--no-config',
        '--timeout',
        '120000',
        ...reporter,
        ...files,
      );
      const text = await readFile(report, 'utf8').catch(() => {
        throw new Error(`the tests did not run: ${output}`);
      });
      const { passes, failures } = Report.parse(JSON.parse(text));
      return {
        passed: passes.map(({ fullTitle }) => fullTitle),
        failed: failures.map(({ fullTitle: title, file, err }) => ({
          file: file.slice(file.indexOf('/test/') + 1),
          title,
          // The message shortens a long value.
          message: `${err.message} ${JSON.stringify(err.actual)}`,
        })),
      };
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
};
