import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import { Client } from 'minio';
import { createMinioObjects, type MinioObjectsOptions } from '../../src/adapters/minio/objects.ts';
import { Rejected, SystemUnusable } from '../../src/errors.ts';
import type { ObjectStore } from '../../src/ports/object-store.ts';
import { createLogger } from '../../src/telemetry.ts';
import { contentOf, objectStoreContract, refusalOf } from '../contract/object-store.ts';
import { failureOf } from '../failure-of.ts';
import { startFreezableProxy } from './harness/freezable-proxy.ts';
import { startMinio } from './servers/minio.ts';

const MIB = 1024 * 1024;

/** Random, so that nothing on the way can make it smaller; answers its checksum at the end. */
const randomBody = (megabytes: number, onChunk: (n: number) => Promise<void> | void = () => undefined) => {
  const hash = createHash('sha256');
  const body = Readable.from(
    (async function* () {
      for (let n = 0; n < megabytes; n += 1) {
        await onChunk(n);
        const bytes = randomBytes(MIB);
        hash.update(bytes);
        yield bytes;
      }
    })(),
    { objectMode: false, highWaterMark: MIB },
  );
  return { body, sha256: () => hash.digest('hex') };
};

const hashOf = async (stream: Readable): Promise<string> => {
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest('hex');
};

describe('MinIO', function () {
  this.timeout(60_000);
  let dir: string;
  let minio: Awaited<ReturnType<typeof startMinio>>;
  let right: MinioObjectsOptions;
  let client: Client;

  const emptyBucket = async () => {
    const names: string[] = [];
    for await (const { name } of client.listObjectsV2(right.bucket, '', true)) names.push(name);
    await client.removeObjects(right.bucket, names);
  };
  const openEmpty = async (): Promise<ObjectStore> => {
    await emptyBucket();
    return createMinioObjects(right);
  };
  /** What is left of uploads to a key that were neither completed nor aborted. */
  const leftOf = async (key: string): Promise<number> =>
    (await client.listIncompleteUploadsQuery(right.bucket, key, '', '', '')).uploads.length;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'minio-'));
    minio = await startMinio({ dir });
    await minio.makeBucket();
    const settings = minio.settings;
    right = {
      endpoint: settings.MINIO_ENDPOINT ?? '',
      access_key: settings.MINIO_ACCESS_KEY ?? '',
      secret_key: settings.MINIO_SECRET_KEY ?? '',
      secure: false,
      bucket: settings.MINIO_BUCKET_NAME ?? '',
    };
    const { hostname, port } = new URL(`http://${right.endpoint}`);
    const keys = { accessKey: right.access_key, secretKey: right.secret_key };
    client = new Client({ endPoint: hostname, port: Number(port), useSSL: false, ...keys });
  });
  afterEach(() => minio.start());
  after(async () => {
    await minio?.close();
    await rm(dir, { recursive: true, force: true });
  });

  describe('as any object store', () => objectStoreContract(openEmpty));

  describe('a file of many parts', () => {
    it('is streamed with bounded memory, and keeps its size and checksum as metadata', async () => {
      const store = await openEmpty();
      let most = 0;
      const before = process.memoryUsage().rss;
      const { body, sha256 } = randomBody(200, () => {
        most = Math.max(most, process.memoryUsage().rss - before);
      });
      const stored = await store.put('models/large', body, { maxBytes: 300 * MIB });
      expect(stored).to.deep.equal({ key: 'models/large', size_bytes: 200 * MIB, sha256: sha256() });
      expect(most).to.be.lessThan(150 * MIB);
      const { size, metaData } = await client.statObject(right.bucket, 'models/large');
      expect({ size, sha256: metaData.sha256 }).to.deep.equal({ size: 200 * MIB, sha256: stored.sha256 });
      expect(await store.find('models/large')).to.deep.equal(stored);
      expect(await hashOf(await store.get('models/large'))).to.equal(stored.sha256);
    });

    it('reads no faster than MinIO accepts', async () => {
      const proxy = await startFreezableProxy(right.endpoint);
      const store = await createMinioObjects({ ...right, endpoint: proxy.address, idle_ms: 2000 });
      let given = 0;
      const { body } = randomBody(200, (n) => {
        given = n;
        if (n === 20) proxy.freeze();
      });
      const refusal = await refusalOf(store.put('slow', body, { maxBytes: 300 * MIB }));
      expect(refusal).to.include({ kind: 'unavailable', code: 'storage-unavailable' });
      expect(given).to.be.lessThan(60);
      expect(body.destroyed).to.equal(true);
      await proxy.close();
    });

    it('leaves neither object nor parts where it is too large, broken off, or another than announced', async () => {
      const store = await openEmpty();
      const put = (body: Readable, options: { maxBytes: number; sha256?: string }) =>
        failureOf(store.put('models/bad', body, options));
      const breaking = randomBody(30, (n) => {
        if (n === 25) throw new Error('connection lost');
      });
      expect(await put(randomBody(30).body, { maxBytes: 25 * MIB })).to.include({ kind: 'too-large' });
      expect(await put(breaking.body, { maxBytes: 50 * MIB })).to.include({ message: 'connection lost' });
      const sha256 = 'f'.repeat(64);
      expect(await put(randomBody(30).body, { maxBytes: 50 * MIB, sha256 })).to.include({ code: 'checksum-mismatch' });
      expect(await store.find('models/bad')).to.equal(null);
      expect(await leftOf('models/bad')).to.equal(0);
    });

    it('is whole, with its own checksum, whichever of several under one key comes last', async () => {
      const store = await openEmpty();
      const bodies = [1, 2, 3].map(() => randomBody(20));
      const stored = await Promise.all(bodies.map(({ body }) => store.put('same', body, { maxBytes: 50 * MIB })));
      const found = await store.find('same');
      expect(stored).to.deep.include(found);
      expect(await hashOf(await store.get('same'))).to.equal(found?.sha256);
    });
  });

  it('learns the checksum of an object that somebody else has put', async () => {
    const store = await openEmpty();
    await client.putObject(right.bucket, 'foreign', 'hello');
    const sha256 = createHash('sha256').update('hello').digest('hex');
    for (const _ of [1, 2])
      expect(await store.find('foreign')).to.deep.equal({ key: 'foreign', size_bytes: 5, sha256 });
  });

  it('names its objects with S3 URLs', async () => {
    expect((await openEmpty()).uri('a/b.onnx')).to.equal(`s3://${right.bucket}/a/b.onnx`);
  });

  describe('killed', () => {
    it('in the middle of an upload and back at once: the upload goes on', async () => {
      const store = await openEmpty();
      const { body, sha256 } = randomBody(40, async (n) => {
        if (n !== 20) return;
        await minio.stop('kill');
        await minio.start();
      });
      const stored = await store.put('models/survivor', body, { maxBytes: 50 * MIB });
      expect(stored.sha256).to.equal(sha256());
      expect(await hashOf(await store.get('models/survivor'))).to.equal(stored.sha256);
    });

    it('in the middle of an upload, for longer: refused as unavailable, no object, and the next upload works', async () => {
      const store = await openEmpty();
      const { body } = randomBody(40, async (n) => {
        if (n === 20) await minio.stop('kill');
      });
      const refusal = await refusalOf(store.put('models/late', body, { maxBytes: 50 * MIB }));
      expect(refusal).to.include({ kind: 'unavailable', code: 'storage-unavailable', retryAfterSeconds: 5 });
      expect(body.destroyed).to.equal(true);
      await minio.start();
      expect(await store.find('models/late')).to.equal(null);
      await store.put('models/late', randomBody(20).body, { maxBytes: 50 * MIB });
    });

    it('every question is answered with unavailable soon, and one line says what to look at', async () => {
      const lines: { level: string; message: string }[] = [];
      const destination = { write: (line: string) => lines.push(JSON.parse(line)) };
      const store = await createMinioObjects({ ...right, logger: createLogger({ level: 'info', destination }) });
      await minio.stop('kill');
      const start = performance.now();
      const put = store.put('a', Readable.from([Buffer.from('x')]), { maxBytes: 10 });
      const asked = [store.find('a'), store.get('a'), store.remove('a'), put];
      for (const refusal of await Promise.all(asked.map(refusalOf))) {
        expect(refusal).to.include({ kind: 'unavailable', code: 'storage-unavailable' });
      }
      expect(performance.now() - start).to.be.lessThan(10_000);
      expect(lines.map(({ level }) => level)).to.deep.equal(['warn']);
      expect(lines[0]?.message).to.match(/cannot be reached.*MINIO_ENDPOINT/);
      await minio.start();
      expect(await store.find('a')).to.equal(null);
      expect(lines.at(-1)?.message).to.contain('can be used again');
    });
  });

  it('falls silent: no question waits for ever', async () => {
    const proxy = await startFreezableProxy(right.endpoint);
    const store = await createMinioObjects({ ...right, endpoint: proxy.address, idle_ms: 500 });
    proxy.freeze();
    const start = performance.now();
    const asked = [store.find('a'), store.get('a'), store.remove('a')];
    for (const refusal of await Promise.all(asked.map(refusalOf))) expect(refusal).to.include({ kind: 'unavailable' });
    expect(performance.now() - start).to.be.lessThan(5_000);
    await proxy.close();
  });

  it('does not take a bucket that has gone for a missing object', async () => {
    await minio.makeBucket('transient');
    const store = await createMinioObjects({ ...right, bucket: 'transient' });
    await client.removeBucket('transient');
    expect(await refusalOf(store.find('a'))).to.include({ kind: 'unavailable' });
  });

  describe('what cannot be used', () => {
    const opening = async (changed: Partial<MinioObjectsOptions>): Promise<SystemUnusable> => {
      const failure = await failureOf(createMinioObjects({ ...right, ...changed }));
      if (failure instanceof SystemUnusable) return failure;
      throw failure;
    };

    it('names the key that is wrong, and does not repeat it', async () => {
      const settings = ['MINIO_ACCESS_KEY', 'MINIO_SECRET_KEY'];
      const access = await opening({ access_key: 'somebody' });
      expect(access).to.deep.include({ settings, transient: false });
      expect(access.message).to.match(/does not know the access key/);
      const secret = await opening({ secret_key: 'not-the-secret' });
      expect(secret).to.deep.include({ settings, transient: false });
      expect(secret.message)
        .to.match(/refuses the secret key/)
        .and.not.contain('not-the-secret');
      expect(await opening({ access_key: '' })).to.include({ transient: false });
    });

    it('names the bucket that is not there, and does not make it', async () => {
      for (const bucket of ['misspelt', 'No Bucket!']) {
        expect(await opening({ bucket })).to.deep.include({ settings: ['MINIO_BUCKET_NAME'], transient: false });
      }
      expect(await client.bucketExists('misspelt')).to.equal(false);
    });

    it('waits for one that is not there yet, or does not answer', async () => {
      expect(await opening({ endpoint: '127.0.0.1:1' })).to.include({ transient: true });
      const mute = await startFreezableProxy(right.endpoint);
      mute.freeze();
      expect(await opening({ endpoint: mute.address, idle_ms: 300 })).to.include({ transient: true });
      await mute.close();
    });

    it('says that there is no TLS, and that there is no S3', async () => {
      const tls = await opening({ secure: true });
      expect(tls).to.include({ transient: false });
      expect(tls.settings).to.include.members(['MINIO_ENDPOINT', 'MINIO_SECURE']);
      const other = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
      await once(other, 'listening');
      const address = other.address();
      const port = typeof address === 'object' ? address?.port : 0;
      expect((await opening({ endpoint: `127.0.0.1:${port}` })).settings).to.include('MINIO_ENDPOINT');
      other.closeAllConnections();
      other.close();
    });

    it('blames the clock where the clock is wrong', async () => {
      const RealDate = Date;
      class LateDate extends RealDate {
        constructor(...given: [] | [number]) {
          super(given[0] ?? RealDate.now() - 20 * 60_000);
        }
      }
      globalThis.Date = LateDate as DateConstructor;
      try {
        const failure = await opening({});
        expect(failure).to.include({ transient: false });
        expect(failure.message).to.match(/clock/);
      } finally {
        globalThis.Date = RealDate;
      }
    });
  });

  it('refuses as any refusal, never with an error of its client', async () => {
    const store = await openEmpty();
    expect(await failureOf(store.get('nowhere'))).to.be.instanceOf(Rejected);
    expect(await contentOf(await putText(store), 'text')).to.equal('hello');
  });
});

const putText = async (store: ObjectStore): Promise<ObjectStore> => {
  await store.put('text', Readable.from(['hello']), { maxBytes: 10 });
  return store;
};
