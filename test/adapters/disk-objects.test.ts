import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { createDiskObjects } from '../../src/adapters/disk-objects.ts';
import { contentOf, objectStoreContract, refusalOf } from '../contract/object-store.ts';

const run = promisify(execFile);

describe('disk objects', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'objects-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  objectStoreContract(() => createDiskObjects({ dir }));

  const putText = async (text: string) => {
    const store = await createDiskObjects({ dir });
    await store.put('a/b', Readable.from([Buffer.from(text)]), { maxBytes: 1000 });
    return store;
  };

  it('leaves no temporary file behind, whether it succeeds or not', async () => {
    const store = await putText('x');
    await refusalOf(store.put('c', Readable.from([Buffer.alloc(10)]), { maxBytes: 5 }));
    await refusalOf(store.put('c', Readable.from([Buffer.alloc(10)]), { maxBytes: 50, sha256: 'f'.repeat(64) }));
    expect(await readdir(join(dir, 'incoming'))).to.deep.equal([]);
  });

  it('clears what a crash left, and keeps what is whole', async () => {
    await putText('kept');
    await writeFile(join(dir, 'incoming', 'half'), 'hal');
    const store = await createDiskObjects({ dir });
    expect(await readdir(join(dir, 'incoming'))).to.deep.equal([]);
    expect(await contentOf(store, 'a/b')).to.equal('kept');
  });

  it('tells size and SHA-256 even where a crash left the object without them', async () => {
    const before = await putText('kept');
    const known = await before.find('a/b');
    await rm(join(dir, 'facts'), { recursive: true });
    expect(await (await createDiskObjects({ dir })).find('a/b')).to.deep.equal(known);
  });

  it('names the file for the model service', async () => {
    const store = await putText('kept');
    expect(await readFile(fileURLToPath(store.uri('a/b')), 'utf8')).to.equal('kept');
  });

  it('says so where the storage cannot be used', async () => {
    const store = await createDiskObjects({ dir });
    await rm(join(dir, 'incoming'), { recursive: true });
    const refusal = await refusalOf(store.put('a', Readable.from(['x']), { maxBytes: 10 }));
    expect(refusal).to.include({ kind: 'unavailable', code: 'storage-unavailable' });
  });

  it('refuses on a full disk, keeps nothing of it, and works again when there is room', async function () {
    const full = join(dir, 'full');
    await mkdir(full);
    await chmod(full, 0o700);
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', full]).then(
      () => true,
      () => false,
    );
    // Only root may mount a disk that is small enough to be filled.
    if (!mounted) return this.skip();
    try {
      const store = await createDiskObjects({ dir: full });
      const large = () => Readable.from([Buffer.alloc(200_000), Buffer.alloc(200_000)]);
      const refusal = await refusalOf(store.put('a', large(), { maxBytes: 1_000_000 }));
      expect(refusal).to.include({ kind: 'unavailable', code: 'storage-full' });
      expect(await readdir(join(full, 'incoming'))).to.deep.equal([]);
      await store.put('b', Readable.from([Buffer.alloc(100_000)]), { maxBytes: 1_000_000 });
      expect(await store.find('b')).to.include({ size_bytes: 100_000 });
    } finally {
      await run('umount', [full]);
    }
  });
});
