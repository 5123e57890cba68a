import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import { Rejected } from '../../src/errors.ts';
import type { ObjectStore } from '../../src/ports/object-store.ts';

const sha256Of = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

export const refusalOf = async (work: Promise<unknown>): Promise<Rejected> => {
  try {
    await work;
  } catch (error) {
    if (error instanceof Rejected) return error;
    throw error;
  }
  throw new Error('it was not refused');
};

export const contentOf = async (store: ObjectStore, key: string): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of await store.get(key)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};

/** What every adapter of the port must do. `open` answers an empty store; the caller clears it away. */
export const objectStoreContract = (open: () => Promise<ObjectStore>): void => {
  const put = (store: ObjectStore, key: string, text: string, sha256?: string) =>
    store.put(key, Readable.from([Buffer.from(text)]), { maxBytes: 1000, ...(sha256 === undefined ? {} : { sha256 }) });

  it('gives back what was put, and says its size and SHA-256', async () => {
    const store = await open();
    const stored = await put(store, 'models/a/model.onnx', 'hello');
    expect(stored).to.deep.equal({ key: 'models/a/model.onnx', size_bytes: 5, sha256: sha256Of('hello') });
    expect(await contentOf(store, 'models/a/model.onnx')).to.equal('hello');
    expect(await store.find('models/a/model.onnx')).to.deep.equal(stored);
  });

  it('keeps an empty object', async () => {
    const store = await open();
    await store.put('empty', Readable.from([]), { maxBytes: 0 });
    expect(await store.find('empty')).to.include({ size_bytes: 0, sha256: sha256Of('') });
    expect(await contentOf(store, 'empty')).to.equal('');
  });

  it('accepts the right checksum, in either case', async () => {
    const store = await open();
    await put(store, 'a', 'hello', sha256Of('hello').toUpperCase());
    expect(await contentOf(store, 'a')).to.equal('hello');
  });

  it('refuses a wrong checksum, and keeps nothing', async () => {
    const store = await open();
    const refusal = await refusalOf(put(store, 'a', 'hello', sha256Of('hallo')));
    expect(refusal).to.include({ kind: 'invalid', code: 'checksum-mismatch' });
    expect(await store.find('a')).to.equal(null);
  });

  it('accepts what is exactly as large as allowed', async () => {
    const store = await open();
    await store.put('a', Readable.from([Buffer.alloc(10)]), { maxBytes: 10 });
    expect(await store.find('a')).to.include({ size_bytes: 10 });
  });

  it('stops reading what is too large, and keeps nothing', async () => {
    const store = await open();
    let given = 0;
    const endless = Readable.from(
      (function* () {
        for (;;) {
          given += 1000;
          yield Buffer.alloc(1000);
        }
      })(),
    );
    const refusal = await refusalOf(store.put('a', endless, { maxBytes: 10_000 }));
    expect(refusal.kind).to.equal('too-large');
    expect(given).to.be.lessThan(1_000_000);
    expect(endless.destroyed).to.equal(true);
    expect(await store.find('a')).to.equal(null);
  });

  it('keeps nothing of a body that breaks off, and the old object where there was one', async () => {
    const store = await open();
    await put(store, 'a', 'old');
    const broken = Readable.from(
      (function* () {
        yield Buffer.from('half');
        throw new Error('connection lost');
      })(),
    );
    const error = await store.put('a', broken, { maxBytes: 1000 }).catch((caught: unknown) => caught);
    expect(error).to.be.instanceOf(Error).with.property('message', 'connection lost');
    expect(await contentOf(store, 'a')).to.equal('old');
    expect(await store.find('a')).to.include({ sha256: sha256Of('old') });
  });

  it('keeps a file of many chunks as it is, whether its checksum was announced or not', async () => {
    const store = await open();
    const bytes = randomBytes(10_000_000);
    const sha256 = sha256Of(bytes);
    const body = () =>
      Readable.from(
        (function* () {
          for (let start = 0; start < bytes.length; start += 70_000) yield bytes.subarray(start, start + 70_000);
        })(),
      );
    for (const options of [{}, { sha256 }]) {
      const stored = await store.put('large', body(), { maxBytes: bytes.length, ...options });
      expect(stored).to.deep.equal({ key: 'large', size_bytes: bytes.length, sha256 });
      expect(await store.find('large')).to.deep.equal(stored);
      const chunks: Buffer[] = [];
      for await (const chunk of await store.get('large')) chunks.push(chunk);
      expect(sha256Of(Buffer.concat(chunks))).to.equal(sha256);
    }
  });

  it('replaces an object', async () => {
    const store = await open();
    await put(store, 'a', 'one');
    await put(store, 'a', 'two');
    expect(await contentOf(store, 'a')).to.equal('two');
    expect(await store.find('a')).to.include({ sha256: sha256Of('two') });
  });

  it('refuses to get what is not there, and finds null', async () => {
    const store = await open();
    expect((await refusalOf(store.get('nowhere'))).kind).to.equal('not-found');
    expect(await store.find('nowhere')).to.equal(null);
  });

  it('removes an object; removing it again is fine', async () => {
    const store = await open();
    await put(store, 'a', 'x');
    await store.remove('a');
    await store.remove('a');
    expect(await store.find('a')).to.equal(null);
  });

  for (const key of ['', '/a', '../a', 'a/../../b', 'a//b', 'a/', '.hidden', 'a\\b', 'a\0b', 'x'.repeat(600)]) {
    it(`refuses the key ${JSON.stringify(key.slice(0, 20))}`, async () => {
      const store = await open();
      expect(await refusalOf(put(store, key, 'x'))).to.include({ kind: 'invalid', code: 'invalid-object-key' });
      expect((await refusalOf(store.get(key))).code).to.equal('invalid-object-key');
    });
  }

  it('keeps one whole object where several are put under one key at once', async () => {
    const store = await open();
    const texts = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(900));
    await Promise.all(texts.map((text) => put(store, 'a', text)));
    const content = await contentOf(store, 'a');
    expect(texts).to.include(content);
    expect(await store.find('a')).to.include({ sha256: sha256Of(content) });
  });
};
