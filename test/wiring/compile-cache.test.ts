import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
const MODULE = new URL('../../src/wiring/compile-cache.ts', import.meta.url).href;
const run = async (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> =>
  (await promisify(execFile)(process.execPath, args, { env })).stdout;

describe('the compile cache', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'compile-cache-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('lies where only the owner of the code writes', async () => {
    const script = `const { keepCompiledCode } = await import('${MODULE}');
      keepCompiledCode();
      console.log((await import('node:module')).getCompileCacheDir());`;
    expect(await run(['--input-type=module', '--eval', script])).to.contain('/node_modules/.cache/budapp/');
  });

  it('is filled by the command line, where the environment says', async () => {
    expect(await run([CLI, '--help'], { NODE_COMPILE_CACHE: folder })).to.contain('Usage: budapp');
    expect(await readdir(folder)).to.have.length(1);
  });

  it('keeps no command from working where it cannot be written', async () => {
    const file = join(folder, 'no-folder');
    await writeFile(file, '');
    expect(await run([CLI, '--help'], { NODE_COMPILE_CACHE: file })).to.contain('Usage: budapp');
  });
});
