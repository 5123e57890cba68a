import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { failureOf } from '../failure-of.ts';
import { NotToBeHad } from './harness/system.ts';
import { cachedFolder, cacheFolder } from './install/cache.ts';
import { needTool } from './install/tools.ts';

describe('the cache of tools', () => {
  const before = { ...process.env };
  let cache: string;

  beforeEach(async () => {
    cache = await mkdtemp(join(tmpdir(), 'budapp-cache-'));
    process.env.BUDAPP_SYSTEMS_CACHE = cache;
  });
  afterEach(async () => {
    process.env = { ...before };
    await rm(cache, { recursive: true, force: true });
  });

  it('is in the folder that BUDAPP_SYSTEMS_CACHE names, else with the other caches of the user', () => {
    expect(cacheFolder()).to.equal(cache);
    delete process.env.BUDAPP_SYSTEMS_CACHE;
    process.env.XDG_CACHE_HOME = '/caches';
    expect(cacheFolder()).to.equal('/caches/budapp/systems');
    delete process.env.XDG_CACHE_HOME;
    process.env.HOME = '/home/ada';
    expect(cacheFolder()).to.equal('/home/ada/.cache/budapp/systems');
  });

  it('installs once for all who ask at the same time, and never again', async () => {
    let installs = 0;
    const ask = () =>
      cachedFolder('tool-1', async (folder) => {
        installs += 1;
        await writeFile(join(folder, 'tool'), 'whole');
      });
    const folders = await Promise.all([ask(), ask(), ask()]);
    expect(new Set([...folders, await ask()])).to.deep.equal(new Set([join(cache, 'tool-1')]));
    expect(installs).to.equal(1);
  });

  it('does not take a half-finished install for a whole one', async () => {
    const half = cachedFolder('tool-1', async (folder) => {
      await writeFile(join(folder, 'half'), '');
      throw new Error('the network is gone');
    });
    expect(await failureOf(half)).to.have.property('message', 'the network is gone');
    expect(await failureOf(stat(join(cache, 'tool-1')))).to.have.property('code', 'ENOENT');
    // As a crash leaves it.
    await mkdir(join(cache, 'tool-1.unfinished'), { recursive: true });
    const folder = await cachedFolder('tool-1', (unfinished) => writeFile(join(unfinished, 'tool'), 'whole'));
    expect(await readdir(folder)).to.deep.equal(['tool']);
    expect(await readFile(join(folder, 'tool'), 'utf8')).to.equal('whole');
  });

  it('refuses a program that is not the version it should be', async () => {
    const folder = join(cache, 'daprd-1.14.0');
    await mkdir(folder);
    await writeFile(join(folder, 'daprd'), '#!/bin/sh\necho 1.0.0\n', { mode: 0o755 });
    const failure = await failureOf(needTool('daprd'));
    expect(failure).to.be.instanceOf(NotToBeHad);
    expect(failure).to.have.property(
      'message',
      `daprd cannot be had here: ${folder}/daprd says that it is version 1.0.0, not 1.14.0`,
    );
  });

  it('says what is missing where a tool cannot be had', async () => {
    process.env.PATH = cache;
    const failure = await failureOf(needTool('minio'));
    expect(failure).to.be.instanceOf(NotToBeHad);
    expect(failure).to.have.property(
      'message',
      'minio cannot be had here: it is built from source, and there is no Go compiler (`go`) on the PATH',
    );
  });
});
