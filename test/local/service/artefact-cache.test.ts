import { rmSync } from 'node:fs';
import { mkdtemp, readdir, readFile, readlink, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { createDiskObjects } from '../../../src/adapters/disk-objects.ts';
import { Rejected } from '../../../src/errors.ts';
import { createLocalCluster } from '../../../src/local/cluster/local-cluster.ts';
import { ENGINES } from '../../../src/local/engine/catalog.ts';
import { createLocalModelService } from '../../../src/local/model/local-model-service.ts';
import { type ArtefactStore, createArtefactCache } from '../../../src/local/service/artefact-cache.ts';
import { StepFailed } from '../../../src/local/service/step-failed.ts';
import { createLocalSimulator } from '../../../src/local/simulator/local-simulator.ts';
import type { ObjectStore } from '../../../src/ports/object-store.ts';
import { eventually } from '../../eventually.ts';
import { failureOf as rejectionOf } from '../../failure-of.ts';
import { createClient, MODEL, openInbox } from '../cluster/cluster-client.ts';
import { asynchronous, failureOf, hasEnded, type Receiver, resultOf, silent, startReceiver } from '../receiver.ts';

const KEY = 'models/t/m/angle.onnx';
const URI = `s3://bud-models/${KEY}`;

describe('artefacts in the object storage', () => {
  let dir: string;
  let objects: ObjectStore;
  let gets: number;
  let store: ArtefactStore;

  const put = (text: string | Buffer) =>
    objects.put(KEY, Readable.from([Buffer.from(text)]), { maxBytes: 10 * 1024 * 1024 });
  const cacheIn = (folder: string, from: ArtefactStore | undefined = store) =>
    createArtefactCache({ dir: join(dir, folder), store: from });

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'artefacts-'));
    objects = await createDiskObjects({ dir: join(dir, 'objects') });
    gets = 0;
    store = {
      find: objects.find,
      uri: (key) => `s3://bud-models/${key}`,
      get(key) {
        gets += 1;
        return objects.get(key);
      },
    };
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  describe('the cache', () => {
    it('brings an object once, under its own name, however many ask for it', async () => {
      await put('hello');
      const fetchArtefact = cacheIn('cache');
      const [path = '', ...others] = await Promise.all([1, 2, 3].map(() => fetchArtefact(URI)));
      expect(others).to.deep.equal([path, path]);
      expect(path).to.match(/\/angle\.onnx$/);
      expect(await readFile(path, 'utf8')).to.equal('hello');
      expect(await cacheIn('cache')(URI)).to.equal(path);
      expect(gets).to.equal(1);
    });

    it('brings it again when it was replaced', async () => {
      await put('one');
      const fetchArtefact = cacheIn('cache');
      await fetchArtefact(URI);
      await put('two');
      expect(await readFile(await fetchArtefact(URI), 'utf8')).to.equal('two');
    });

    it('retries a download that was cut off, and leaves no partial file', async () => {
      await put('hello');
      const breaking = { ...store };
      breaking.get = async (key) => {
        if (gets > 0) return store.get(key);
        gets += 1;
        return Readable.from(
          (function* () {
            yield Buffer.from('hel');
            throw new Error('connection lost');
          })(),
        );
      };
      const path = await cacheIn('cache', breaking)(URI);
      expect(await readFile(path, 'utf8')).to.equal('hello');
      expect((await readdir(join(dir, 'cache'))).filter((name) => name.endsWith('.part'))).to.deep.equal([]);
    });

    /** A storage that takes a moment to answer: long enough for a file to be opened. */
    const SLOW_MS = 50;

    it('tries again, and brings nothing down, where its folder vanishes while the storage is asked', async () => {
      await put('hello');
      const slow = { ...store };
      slow.get = async (key) => {
        if (gets === 0) {
          rmSync(join(dir, 'cache'), { recursive: true });
          await delay(SLOW_MS);
        }
        return store.get(key);
      };
      expect(await readFile(await cacheIn('cache', slow)(URI), 'utf8')).to.equal('hello');
      expect(gets).to.equal(2);
    });

    it('leaves no file open where the storage refuses', async () => {
      await put('hello');
      const refusing = { ...store };
      refusing.get = async () => {
        await delay(SLOW_MS);
        throw new StepFailed('refused');
      };
      expect(await rejectionOf(cacheIn('cache', refusing)(URI))).to.match(/refused/);
      const descriptors = await readdir('/proc/self/fd');
      const open = await Promise.all(descriptors.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
      expect(open.filter((path) => path.includes('.part') && path.startsWith(dir))).to.deep.equal([]);
    });

    it('does not take a content that has another checksum', async () => {
      await put('hello');
      const damaged = { ...store, get: async () => Readable.from([Buffer.from('jello')]) };
      expect(await rejectionOf(cacheIn('cache', damaged)(URI))).to.match(/replaced or damaged/);
      expect(await readdir(join(dir, 'cache'))).to.deep.equal([]);
    });

    it('waits for an object storage that is unavailable for a moment', async () => {
      await put('hello');
      let asked = 0;
      const away = { ...store };
      away.find = async (key) => {
        asked += 1;
        if (asked === 1) throw new Rejected('unavailable', 'storage-unavailable', 'The object storage cannot be used.');
        return store.find(key);
      };
      expect(await readFile(await cacheIn('cache', away)(URI), 'utf8')).to.equal('hello');
    });

    it('stops at once when it is told to', async () => {
      await put('hello');
      const mute = { ...store, get: async () => new Readable({ read: () => undefined }) };
      const stop = new AbortController();
      const fetching = rejectionOf(cacheIn('cache', mute)(URI, stop.signal));
      setImmediate(() => stop.abort());
      expect(await fetching).to.have.property('name', 'AbortError');
    });

    it('forgets what nobody has asked for in an hour', async () => {
      await put('hello');
      const fetchArtefact = cacheIn('cache');
      const path = await fetchArtefact(URI);
      const long = new Date(Date.now() - 2 * 3_600_000);
      await utimes(join(path, '..'), long, long);
      await writeFile(join(dir, 'cache', 'crashed.part'), 'hal');
      await utimes(join(dir, 'cache', 'crashed.part'), long, long);
      await put('another');
      await fetchArtefact(URI);
      expect(await readdir(join(dir, 'cache'))).to.have.lengthOf(1);
    });

    it('forgets it also where nobody asks for another one', async () => {
      await put('hello');
      const fetchArtefact = createArtefactCache({ dir: join(dir, 'cache'), store, unused_ms: 20 });
      await fetchArtefact(URI);
      await eventually('the copy is gone', async () => (await readdir(join(dir, 'cache'))).length === 0);
    });

    it('says what is wrong with a reference', async () => {
      const reasonFor = async (uri: string, from: ArtefactStore | undefined = store) =>
        String(await rejectionOf(createArtefactCache({ dir, store: from })(uri)));
      expect(await reasonFor(URI)).to.contain('there is no object');
      expect(await reasonFor(`s3://elsewhere/${KEY}`)).to.contain('is not in the object storage');
      expect(await reasonFor('s3://bud-models/')).to.contain('is not in the object storage');
      expect(String(await rejectionOf(createArtefactCache({ dir, store: undefined })(URI)))).to.contain(
        'this service is connected to none',
      );
    });
  });

  describe('the local services', () => {
    let receiver: Receiver;
    beforeEach(async () => {
      receiver = await startReceiver();
      await put(await readFile(MODEL));
    });
    afterEach(() => receiver.close());

    const ask = async (service: { url: string }, path: string, body: Record<string, unknown>) => {
      await fetch(`${service.url}/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...body, ...asynchronous('w1') }),
      });
      await receiver.until(hasEnded('w1'));
      return resultOf(receiver.received, 'w1');
    };
    const optionsIn = (folder: string, artefacts: ArtefactStore | undefined) => ({
      ...{ data_dir: join(dir, folder), callback: receiver.callback, engines: ENGINES, log: silent, artefacts },
    });
    const extraction = { model_name: 'm', model_uri: URI, provider_type: 'disk' };

    it('extract and scan a model that is there', async () => {
      const service = await createLocalModelService(optionsIn('model', store));
      expect(await ask(service, 'model-info/extract', extraction)).to.include({ status: 'COMPLETED' });
      receiver.received.length = 0;
      expect(await ask(service, 'model-info/scan', { model_path: URI })).to.include({ status: 'COMPLETED' });
      await service.close();
    });

    it('fail the step, with the reason, where they are connected to no object storage', async () => {
      const service = await createLocalModelService(optionsIn('model', undefined));
      expect(await ask(service, 'model-info/extract', extraction)).to.include({ status: 'FAILED' });
      expect(failureOf(receiver.received, 'w1', 'validation')).to.contain('connected to none');
      await service.close();
    });

    it('rank clusters for it, reading no more than its beginning', async () => {
      const clusters = async () => [
        {
          cluster_id: 'c1',
          name: 'c1',
          nodes: [
            {
              name: 'n1',
              status: 'Ready',
              devices: [{ type: 'cpu', name: 'CPU' }],
              capacity: { cpu_millis: 4_000, memory_mib: 8_000 },
              free: { cpu_millis: 4_000, memory_mib: 8_000 },
            },
          ],
        },
      ];
      const service = await createLocalSimulator({ ...optionsIn('simulator', store), clusters });
      const run = {
        ...{ pretrained_model_uri: URI, model_uri: URI, input_tokens: 0, output_tokens: 0, concurrency: 1 },
        ...{ target_ttft: null, target_throughput_per_user: null, target_e2e_latency: null, model_endpoints: null },
        ...{ is_proprietary_model: false, hardware_mode: 'dedicated' },
      };
      expect(await ask(service, 'simulator/run', run)).to.include({ status: 'COMPLETED' });
      expect(await readdir(join(dir, 'simulator'))).to.not.include('artefacts');
      await service.close();
    });

    it('deploy it', async () => {
      const inbox = await openInbox();
      const cluster = await createLocalCluster({ ...optionsIn('cluster', store), callback: inbox.callback });
      const client = createClient(() => cluster, inbox);
      const { result } = await client.register('register', 'kind: Config');
      const deployed = await client.deploy('deploy', { cluster_id: result.id, model: URI });
      expect(deployed.deployment_status).to.include({ status: 'ready' });
      await cluster.close();
      await inbox.close();
    });
  });
});
