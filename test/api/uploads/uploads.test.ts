import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { expect } from 'chai';
import { eventually } from '../../eventually.ts';
import { MAX_UPLOAD_BYTES, type RunningApi, startApi } from '../running-api.ts';

const content = randomBytes(50_000);
const sha256 = createHash('sha256').update(content).digest('hex');

type Part = [name: string, value: string | Buffer];

const formOf = (...parts: Part[]): FormData => {
  const form = new FormData();
  for (const [name, value] of parts) {
    if (typeof value === 'string') form.append(name, value);
    else form.append(name, new Blob([new Uint8Array(value)]), '../../weird name.onnx');
  }
  return form;
};

describe('uploads of models', () => {
  let api: RunningApi;
  before(async () => {
    api = await startApi();
  });
  after(() => api.close());

  const upload = (parts: Part[], headers: Record<string, string> = {}) =>
    api.admin.form('/models/local', formOf(...parts), headers);

  /** Runs what must leave the store as it was. */
  const leavesNothing = async <T>(run: () => Promise<T>): Promise<T> => {
    const before = await api.storedFiles();
    const result = await run();
    expect(await api.storedFiles()).to.deep.equal(before);
    return result;
  };

  it('takes a file in and starts the onboarding of a model', async () => {
    const reply = await upload([
      ['name', 'uploaded'],
      ['tags', 'ocr, small'],
      ['sha256', sha256],
      ['file', content],
    ]);
    expect(reply.status, JSON.stringify(reply.body)).to.equal(202);
    expect(reply.body).to.include({ name: 'uploaded', status: 'onboarding' });
    expect(reply.body.tags).to.deep.equal(['ocr', 'small']);
    expect(reply.body.workflow_id).to.be.a('string');
    const { object_key, size_bytes } = reply.body.artefact;
    expect(object_key).to.match(/^models\/[\w-]+\/[\w-]+\/[\w-]+\/[\w.-]+$/);
    expect(size_bytes).to.equal(content.length);
    expect(reply.body.artefact.sha256).to.equal(sha256);
    expect(await api.services.objects.find(object_key)).to.include({ sha256 });
  });

  it('refuses a checksum that does not match, before or after the file', async () => {
    const wrong = 'f'.repeat(64);
    for (const parts of [
      [
        ['name', 'sum'],
        ['sha256', wrong],
        ['file', content],
      ],
      [
        ['file', content],
        ['name', 'sum'],
        ['sha256', wrong],
      ],
    ] satisfies Part[][]) {
      const reply = await leavesNothing(() => upload(parts));
      expect(reply.body, JSON.stringify(reply.body)).to.include({ status: 422, code: 'checksum-mismatch' });
    }
  });

  it('refuses missing, unknown and doubled parts', async () => {
    const cases: Part[][] = [
      [['name', 'no file']],
      [['file', content]],
      [
        ['name', 'x'],
        ['colour', 'red'],
        ['file', content],
      ],
      [
        ['name', 'x'],
        ['file', content],
        ['file', content],
      ],
      [
        ['name', 'x'],
        ['other', content],
      ],
      [
        ['name', 'x'],
        ['name', 'y'],
        ['file', content],
      ],
      [
        ['name', 'x'],
        ['sha256', 'short'],
        ['file', content],
      ],
      [
        ['name', 'x'.repeat(101)],
        ['file', content],
      ],
    ];
    for (const parts of cases) {
      const reply = await leavesNothing(() => upload(parts));
      expect(reply.status, JSON.stringify([parts.map(([name]) => name), reply.body])).to.equal(422);
    }
  });

  it('refuses a file that is too large, whether or not its length is announced', async () => {
    const large = randomBytes(MAX_UPLOAD_BYTES + 1);
    const unannounced = await leavesNothing(() =>
      upload([
        ['name', 'large'],
        ['file', large],
      ]),
    );
    expect(unannounced.body).to.include({ status: 413 });
    const huge = Buffer.alloc(MAX_UPLOAD_BYTES + 2 ** 21);
    const announced = await leavesNothing(() =>
      upload([
        ['name', 'huge'],
        ['file', huge],
      ]),
    );
    expect(announced.body).to.include({ status: 413, code: 'upload-too-large' });
  });

  it('refuses a taken name and leaves no second file', async () => {
    const first = await upload([
      ['name', 'taken'],
      ['file', content],
    ]);
    expect(first.status).to.equal(202);
    const again = await leavesNothing(() =>
      upload([
        ['file', content],
        ['name', 'taken'],
      ]),
    );
    expect(again.body).to.include({ status: 409 });
  });

  it('refuses who may not make models before anything is stored, and other content', async () => {
    const viewer = api.as({ email: 'viewer@example.org', role: 'viewer' });
    const form = formOf(['name', 'not mine'], ['file', content]);
    const reply = await leavesNothing(() => viewer.form('/models/local', form));
    expect(reply.body).to.include({ status: 403, code: 'not-permitted' });
    const json = await api.admin.post('/models/local', { name: 'json' });
    expect(json.body).to.include({ status: 415 });
  });

  it('answers a repeated Idempotency-Key the same again, and keeps one file', async () => {
    const key = { 'idempotency-key': 'upload-once' };
    const first = await upload(
      [
        ['name', 'keyed'],
        ['file', content],
      ],
      key,
    );
    const again = await leavesNothing(() =>
      upload(
        [
          ['name', 'keyed'],
          ['file', content],
        ],
        key,
      ),
    );
    expect(again.status, JSON.stringify(again.body)).to.equal(202);
    expect(again.body).to.deep.equal(first.body);
    const other = await leavesNothing(() =>
      upload(
        [
          ['name', 'keyed'],
          ['file', randomBytes(10)],
        ],
        key,
      ),
    );
    expect(other.body).to.include({ status: 422, code: 'idempotency-key-reused' });
  });

  it('leaves nothing of an upload whose client disconnects in the middle', async () => {
    const before = await api.storedFiles();
    const { port } = new URL(api.url);
    const boundary = 'cut';
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="m.onnx"\r\n\r\n`;
    const socket = connect(Number(port), '127.0.0.1');
    const lines = [
      'POST /models/local HTTP/1.1',
      'Host: localhost',
      `Authorization: Bearer ${api.admin.token}`,
      `Content-Type: multipart/form-data; boundary=${boundary}`,
      'Content-Length: 1000000',
    ];
    socket.write(`${lines.join('\r\n')}\r\n\r\n${head}${'x'.repeat(100_000)}`);
    const arrived = async () => (await api.storedFiles()).length > before.length;
    await eventually('a part has arrived', arrived);
    socket.destroy();
    await eventually('nothing is left of it', async () => !(await arrived()));
    const list = await api.admin.get('/models?name=m');
    expect(list.body.items).to.deep.equal([]);
  });

  it('refuses a form that ends in the middle of its file', async () => {
    const boundary = 'short';
    const body = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="m.onnx"\r\n\r\nabc`;
    const reply = await leavesNothing(() =>
      api.request('POST', '/models/local', {
        body,
        headers: {
          authorization: `Bearer ${api.admin.token}`,
          'content-type': `multipart/form-data; boundary=${boundary}`,
        },
      }),
    );
    expect(reply.body).to.include({ status: 400, code: 'malformed-form' });
  });

  it('takes the configuration of a cluster as JSON and as a file', async () => {
    const json = await api.admin.post('/clusters', { name: 'as json', configuration: 'apiVersion: v1' });
    expect(json.status, JSON.stringify(json.body)).to.equal(202);
    const form = formOf(['name', 'as file'], ['configuration', Buffer.from('apiVersion: v1')]);
    const file = await api.admin.form('/clusters', form);
    expect(file.status, JSON.stringify(file.body)).to.equal(202);
    expect(JSON.stringify(file.body)).to.not.contain('apiVersion');
    const large = formOf(['name', 'too much'], ['configuration', Buffer.alloc(2 ** 20 + 10)]);
    expect((await api.admin.form('/clusters', large)).body).to.include({ status: 413 });
  });
});
