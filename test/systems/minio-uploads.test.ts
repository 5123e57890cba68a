import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Client } from 'minio';
import { createMinioObjects } from '../../src/adapters/minio/objects.ts';
import { createLocalCluster } from '../../src/local/cluster/local-cluster.ts';
import { ENGINES } from '../../src/local/engine/catalog.ts';
import { createLocalModelService } from '../../src/local/model/local-model-service.ts';
import type { ObjectStore } from '../../src/ports/object-store.ts';
import { type RunningApi, startApi } from '../api/running-api.ts';
import { createClient, MODEL, openInbox } from '../local/cluster/cluster-client.ts';
import { asynchronous, hasEnded, resultOf, silent, startReceiver } from '../local/receiver.ts';
import { startMinio } from './servers/minio.ts';

const MIB = 1024 * 1024;
const BOUNDARY = 'the-boundary-of-the-tests';

describe('MinIO behind the API and the local services', function () {
  this.timeout(60_000);
  let dir: string;
  let minio: Awaited<ReturnType<typeof startMinio>>;
  let objects: ObjectStore;
  let client: Client;
  let bucket: string;
  let api: RunningApi;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'minio-uploads-'));
    minio = await startMinio({ dir });
    await minio.makeBucket();
    const { settings } = minio;
    bucket = settings.MINIO_BUCKET_NAME ?? '';
    const access_key = settings.MINIO_ACCESS_KEY ?? '';
    const secret_key = settings.MINIO_SECRET_KEY ?? '';
    const endpoint = settings.MINIO_ENDPOINT ?? '';
    objects = await createMinioObjects({ endpoint, access_key, secret_key, secure: false, bucket });
    const { hostname, port } = new URL(`http://${endpoint}`);
    client = new Client({
      ...{ endPoint: hostname, port: Number(port), useSSL: false, accessKey: access_key, secretKey: secret_key },
    });
    const limits = {
      public_url: 'http://localhost',
      version: '0',
      dapr_api_token: 'x',
      own_writes_timeout_ms: 2000,
      alone: false,
      enable_metrics: false,
      pubsub_name: '',
    };
    api = await startApi({ objects, settings: { ...limits, max_upload_bytes: 100 * MIB } });
  });
  afterEach(() => minio.start());
  after(async () => {
    await api?.close();
    await minio?.close();
    await rm(dir, { recursive: true, force: true });
  });

  const stored = async (): Promise<string[]> => {
    const names: string[] = [];
    for await (const { name } of client.listObjectsV2(bucket, '', true)) names.push(name);
    return names;
  };

  /** An upload that goes as far as the test wants. */
  const beginUpload = (name: string): ClientRequest => {
    const upload = request(`${api.url}/models/local`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${api.admin.token}`,
        'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
      },
    });
    const part = (disposition: string) => `--${BOUNDARY}\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n`;
    upload.write(`${part('name="name"')}${name}\r\n${part('name="file"; filename="m.onnx"')}`);
    return upload;
  };
  const send = async (upload: ClientRequest, megabytes: number): Promise<void> => {
    for (let n = 0; n < megabytes; n += 1) if (!upload.write(randomBytes(MIB))) await once(upload, 'drain');
  };
  const answerTo = async (upload: ClientRequest) => {
    const [response] = (await once(upload, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk);
    return {
      status: response.statusCode,
      headers: response.headers,
      body: JSON.parse(Buffer.concat(chunks).toString()),
    };
  };

  it('takes a file of many parts', async () => {
    const upload = beginUpload('whole');
    await send(upload, 20);
    upload.end(`\r\n--${BOUNDARY}--\r\n`);
    const { status, body } = await answerTo(upload);
    expect(status, JSON.stringify(body)).to.equal(202);
    expect(await objects.find(body.artefact.object_key)).to.include({ sha256: body.artefact.sha256 });
  });

  it('keeps nothing of an upload whose client disconnects, not even its parts', async () => {
    const before = await stored();
    const put = Promise.withResolvers<unknown>();
    const { put: realPut } = objects;
    let key = '';
    objects.put = (name, body, options) => {
      key = name;
      const putting = realPut(name, body, options);
      putting.catch(put.resolve);
      return putting;
    };
    const upload = beginUpload('gone');
    upload.on('error', () => undefined);
    await send(upload, 20);
    upload.destroy();
    expect(await put.promise).to.be.instanceOf(Error);
    objects.put = realPut;
    expect(await stored()).to.deep.equal(before);
    expect((await client.listIncompleteUploadsQuery(bucket, key, '', '', '')).uploads).to.deep.equal([]);
  });

  it('answers 503 with Retry-After where MinIO goes away in the middle, and takes the upload again later', async () => {
    const before = await stored();
    const upload = beginUpload('twice');
    upload.on('error', () => undefined);
    await send(upload, 12);
    const answer = answerTo(upload);
    await minio.stop('kill');
    // As clients do: it stops sending when it is answered.
    await Promise.race([send(upload, 24), answer]);
    const { status, headers, body } = await answer;
    upload.destroy();
    expect(status, JSON.stringify(body)).to.equal(503);
    expect(body).to.include({ code: 'storage-unavailable' });
    expect(Number(headers['retry-after'])).to.be.greaterThan(0);
    await minio.start();
    expect(await stored()).to.deep.equal(before);
    const again = beginUpload('twice');
    await send(again, 12);
    again.end(`\r\n--${BOUNDARY}--\r\n`);
    expect((await answerTo(again)).status).to.equal(202);
  });

  it('feeds the local model service and the local cluster', async () => {
    const { createReadStream } = await import('node:fs');
    await objects.put('models/t/angle.onnx', createReadStream(MODEL), { maxBytes: 10 * MIB });
    const model_uri = objects.uri('models/t/angle.onnx');
    const receiver = await startReceiver();
    const model = await createLocalModelService({
      ...{ data_dir: join(dir, 'model'), callback: receiver.callback, engines: ENGINES },
      ...{ log: silent, artefacts: objects },
    });
    await fetch(`${model.url}/model-info/extract`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model_name: 'm', model_uri, provider_type: 'disk', ...asynchronous('w1') }),
    });
    await receiver.until(hasEnded('w1'));
    expect(resultOf(receiver.received, 'w1')).to.include({ status: 'COMPLETED' });
    await model.close();
    await receiver.close();

    const inbox = await openInbox();
    const cluster = await createLocalCluster({
      ...{ data_dir: join(dir, 'cluster'), callback: inbox.callback, engines: ENGINES },
      ...{ log: silent, artefacts: objects },
    });
    const asking = createClient(() => cluster, inbox);
    const { result } = await asking.register('register', 'kind: Config');
    const deployed = await asking.deploy('deploy', { cluster_id: result.id, model: model_uri });
    expect(deployed.deployment_status).to.include({ status: 'ready' });
    await cluster.close();
    await inbox.close();
  });
});
