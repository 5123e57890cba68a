import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Client } from '../../src/demo/client.ts';
import { eventually } from '../eventually.ts';
import { classifier } from '../local/engine/onnx/build-onnx.ts';
import { type Ask, admin, expectProblem, type Person } from './asking.ts';
import { type BudApp, loggedIn, startBudApp } from './budapp.ts';
import { aModel, MODEL_FILE } from './deployment.ts';

const MAX_UPLOAD_SIZE = 2_000_000;
/** Room for a file of the largest size allowed, not for two. */
const DISK_KIB = 3000;

const formOf = (fields: Record<string, string>, file: Uint8Array): FormData => {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  form.set('file', new Blob([Buffer.from(file)]), 'model.onnx');
  return form;
};

/** Begins an upload by hand and leaves it unfinished. */
const beginUpload = (url: string, token: string, name: string): Socket => {
  const { port, hostname } = new URL(url);
  const boundary = 'unfinished';
  const lines = [
    'POST /models/local HTTP/1.1',
    'Host: localhost',
    `Authorization: Bearer ${token}`,
    `Content-Type: multipart/form-data; boundary=${boundary}`,
    'Content-Length: 1000000',
  ];
  const field = `--${boundary}\r\nContent-Disposition: form-data; name="name"\r\n\r\n${name}\r\n`;
  const file = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="m.onnx"\r\n\r\n`;
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  socket.write(`${lines.join('\r\n')}\r\n\r\n${field}${file}${'x'.repeat(100_000)}`);
  return socket;
};

const mountSmallDisk = (folder: string): boolean => {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_KIB}k`, 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

describe('uploads on bad days', function () {
  this.timeout(300_000);
  let dataDir = '';
  let objectsDir = '';
  let isSmallDisk = false;
  let budapp: BudApp;
  let client: Client;
  let person: Person;
  let ask: Ask;
  let model: Buffer;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'budapp-uploads-'));
    objectsDir = join(dataDir, 'objects');
    await mkdir(objectsDir);
    isSmallDisk = mountSmallDisk(objectsDir);
    model = await readFile(MODEL_FILE);
    await start();
  });

  after(async () => {
    await budapp.stop();
    if (isSmallDisk) execFileSync('umount', [objectsDir]);
    await rm(dataDir, { recursive: true, force: true });
  });

  const start = async () => {
    budapp = await startBudApp(dataDir, { MAX_UPLOAD_SIZE: String(MAX_UPLOAD_SIZE) });
    client = await loggedIn(budapp);
    person = await admin(budapp.url);
    ask = person.ask;
  };

  /** Everything that object storage holds, finished or not. */
  const stored = async (): Promise<string[]> => {
    const entries = await readdir(objectsDir, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  };

  const upload = (fields: Record<string, string>, file: Uint8Array = model) =>
    ask('POST', '/models/local', { body: formOf(fields, file) });

  const expectNothing = async (name: string) => {
    expect(await stored()).to.deep.equal([]);
    const { body } = await ask('GET', `/models?name=${encodeURIComponent(name)}`);
    expect(body.items).to.deep.equal([]);
  };

  const failedModel = async (name: string, file: Uint8Array) => {
    const failed = await aModel(client, name, file);
    expect(failed.status).to.equal('failed');
    expect(failed.reason?.code).to.be.a('string').and.not.equal('');
    expect(failed.reason?.message).to.be.a('string').and.not.equal('');
    await eventually('the file is removed', async () => ((await stored()).length === 0 ? true : null));
    const workflow = await eventually('its workflow ends', async () => {
      const { body } = await ask('GET', `/workflows?kind=model-onboarding&limit=1&sort=-created_at`);
      return body.items[0].status === 'running' ? null : body.items[0];
    });
    expect(workflow).to.include({ status: 'failed' });
    return failed;
  };

  for (const [title, damage] of [
    ['is not ONNX', () => Buffer.from('this is a text, and no model')],
    ['is empty', () => Buffer.alloc(0)],
    ['is cut short', (whole: Buffer) => whole.subarray(0, whole.length / 2)],
    ['is cut short within its first bytes', (whole: Buffer) => whole.subarray(0, 100)],
    ['is zeros', () => Buffer.alloc(10_000)],
  ] as [string, (whole: Buffer) => Buffer][]) {
    it(`ends in failed with a reason where the file ${title}, keeps no file and frees the name`, async () => {
      const name = `model that ${title}`;
      await failedModel(name, damage(model));
      const again = await upload({ name });
      expect(again.status, JSON.stringify(again.body)).to.equal(202);
      const id: string = again.body.id;
      await eventually('the good file is taken', async () =>
        (await ask('GET', `/models/${id}`)).body.status === 'active' ? true : null,
      );
      expect((await ask('DELETE', `/models/${id}`)).status).to.equal(200);
      await eventually('its file goes with it', async () => ((await stored()).length === 0 ? true : null));
    });
  }

  it('says what to change where a model could not be served', async () => {
    const { reason } = await failedModel('classifier', Buffer.from(classifier({ zipmap: true })));
    expect(reason?.code).to.equal('service-reported-failure');
    expect(reason?.message).to.match(/output probabilities .* no tensor.*skl2onnx: options=\{'zipmap': False\}/);
  });

  it('does not deploy a model that failed', async () => {
    const failed = await failedModel('unusable', Buffer.from('no model'));
    const json = { name: 'of-nothing', model_id: failed.id };
    expectProblem(await ask('POST', '/endpoints', { json }), 409, 'model-not-active');
  });

  it('refuses a checksum that does not match, and takes the right one', async () => {
    expectProblem(await upload({ name: 'checked', sha256: '0'.repeat(64) }), 422, 'checksum-mismatch');
    expectProblem(await upload({ name: 'checked', sha256: 'short' }), 422, 'invalid-input');
    await expectNothing('checked');
    const sha256 = createHash('sha256').update(model).digest('hex').toUpperCase();
    const taken = await upload({ name: 'checked', sha256 });
    expect(taken.status).to.equal(202);
    await eventually('it is active', async () =>
      (await ask('GET', `/models/${taken.body.id}`)).body.status === 'active' ? true : null,
    );
    expectProblem(await upload({ name: 'CHECKED' }), 409, 'model-name-taken');
    expect((await ask('DELETE', `/models/${taken.body.id}`)).status).to.equal(200);
    await eventually('its file goes with it', async () => ((await stored()).length === 0 ? true : null));
  });

  it('refuses what is larger than MAX_UPLOAD_SIZE, whether or not its length is announced', async () => {
    const large = new Uint8Array(MAX_UPLOAD_SIZE + 1);
    const announced = await upload({ name: 'large' }, large);
    expectProblem(announced, 413, 'upload-too-large');
    const form = new Response(formOf({ name: 'large' }, large));
    const headers = { 'content-type': form.headers.get('content-type') ?? '' };
    const chunked = await ask('POST', '/models/local', { body: form.body, headers });
    expectProblem(chunked, 413, 'upload-too-large');
    const huge = await upload({ name: 'large' }, new Uint8Array(2 * MAX_UPLOAD_SIZE));
    expectProblem(huge, 413, 'upload-too-large');
    await expectNothing('large');
  });

  it('reports a full disk for uploads, and accepts them again when there is space', async function () {
    // Without the right to mount a small disk there is no disk that a test may fill.
    if (!isSmallDisk) this.skip();
    const ballast = join(objectsDir, 'ballast');
    await writeFile(ballast, new Uint8Array(DISK_KIB * 1024 - 1_000_000));
    const full = await upload({ name: 'too much' }, new Uint8Array(MAX_UPLOAD_SIZE));
    expectProblem(full, 503, 'storage-full');
    expect(full.body.hint).to.match(/space/);
    await rm(ballast);
    await expectNothing('too much');
    const taken = await upload({ name: 'too much' });
    expect(taken.status).to.equal(202);
    const { id } = taken.body;
    await eventually('it is active', async () =>
      (await ask('GET', `/models/${id}`)).body.status === 'active' ? true : null,
    );
    expect((await ask('DELETE', `/models/${id}`)).status).to.equal(200);
    await eventually('its file goes with it', async () => ((await stored()).length === 0 ? true : null));
  });

  it('leaves nothing of an upload whose client disconnects in the middle', async () => {
    const socket = beginUpload(budapp.url, person.token, 'left');
    await eventually('it arrives', async () => ((await stored()).length > 0 ? true : null));
    socket.destroy();
    await eventually('what came is removed', async () => ((await stored()).length === 0 ? true : null));
    await expectNothing('left');
  });

  it('leaves nothing of an upload in the middle of which the server was killed', async () => {
    beginUpload(budapp.url, person.token, 'killed');
    await eventually('it arrives', async () => ((await stored()).length > 0 ? true : null));
    await budapp.kill();
    await start();
    await expectNothing('killed');
    const again = await aModel(client, 'killed');
    expect(again.status).to.equal('active');
  });
});
