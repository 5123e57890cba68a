import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { clearUnfinished, moveIntoPlace, writeAtomically } from '../../src/resilience/atomic-file.ts';
import { failureOf } from '../failure-of.ts';

const run = promisify(execFile);
const FULL_DISK = new URL('full-disk-process.ts', import.meta.url).pathname;

describe('atomic file', () => {
  let dir: string;
  let file: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'budapp-atomic-'));
    file = join(dir, 'state.json');
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  it('has the new content, for its owner only, and leaves nothing beside it', async () => {
    await writeFile(file, 'old', { mode: 0o644 });
    await writeAtomically(file, 'néw');
    expect(await readFile(file, 'utf8')).to.equal('néw');
    expect((await stat(file)).mode & 0o777).to.equal(0o600);
    expect(await readdir(dir)).to.deep.equal(['state.json']);
  });

  it('is never seen half-written', async () => {
    const contents = ['a', 'b'].map((letter) => letter.repeat(500_000));
    await writeAtomically(file, contents[0] ?? '');
    const writing = Array.from({ length: 20 }, (_, n) => writeAtomically(file, contents[n % 2] ?? ''));
    const seen = await Promise.all(Array.from({ length: 20 }, () => readFile(file, 'utf8')));
    await Promise.all(writing);
    expect(seen.filter((text) => !contents.includes(text))).to.deep.equal([]);
    expect(await readdir(dir)).to.deep.equal(['state.json']);
  });

  it('stays as it was where the new one cannot be written', async () => {
    await mkdir(join(dir, 'taken', 'by'), { recursive: true });
    expect(await failureOf(writeAtomically(join(dir, 'taken'), 'new'))).to.have.property('code');
    expect(await failureOf(writeAtomically(join(dir, 'missing', 'file'), 'new'))).to.have.property('code', 'ENOENT');
    expect(await readdir(dir)).to.deep.equal(['taken']);
  });

  it('stays as it was where the disk gets full in the middle', async () => {
    await writeFile(file, 'old');
    const limited = 'ulimit -f 8; exec "$0" "$@"';
    const { stdout } = await run('sh', ['-c', limited, process.execPath, FULL_DISK, file, '100000']);
    expect(stdout).to.match(/^EFBIG/);
    expect(await readFile(file, 'utf8')).to.equal('old');
    expect(await readdir(dir)).to.deep.equal(['state.json']);
    // The same without the limit, so that it was the limit that failed it.
    await run(process.execPath, [FULL_DISK, file, '100000']);
    expect((await stat(file)).size).to.equal(100_000);
  });

  it('loses what a crash left of it, and nothing else', async () => {
    for (const name of ['state.json', 'state.json.1.part', 'state.json.part', 'state.json.bak', 'other.json.1.part'])
      await writeFile(join(dir, name), '');
    await clearUnfinished(file);
    expect((await readdir(dir)).sort()).to.deep.equal(['other.json.1.part', 'state.json', 'state.json.bak']);
  });

  it('can be a file or a folder that was made elsewhere', async () => {
    await writeFile(file, 'old');
    await writeFile(join(dir, 'incoming'), 'new');
    await moveIntoPlace(join(dir, 'incoming'), file);
    expect(await readFile(file, 'utf8')).to.equal('new');
    await mkdir(join(dir, 'unfinished', 'inside'), { recursive: true });
    await moveIntoPlace(join(dir, 'unfinished'), join(dir, 'finished'));
    expect((await readdir(dir)).sort()).to.deep.equal(['finished', 'state.json']);
  });
});
