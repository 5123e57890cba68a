import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Json } from '../../json.ts';
import { aTensor, ELEM, identity, model } from './build-onnx.ts';
import {
  binaryBody,
  firstReport,
  MAIN,
  MODEL,
  type RunningReplica,
  serveModel,
  startReplica,
} from './running-replica.ts';

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
    const report = await firstReport(child);
    if (report.type === 'failed') throw new Error(report.reason);
    url = `http://127.0.0.1:${report.port}`;
  });
  after(() => {
    child.kill('SIGKILL');
  });

  it('answers the health and metadata routes of the Open Inference Protocol', async () => {
    expect((await get('/v2/health/live')).body).to.deep.equal({ live: true });
    expect((await get('/v2/health/ready')).body).to.deep.equal({ ready: true });
    expect((await get('/v2')).body).to.deep.equal({
      name: 'budapp-local-inference',
      version: '2',
      extensions: ['binary_tensor_data'],
    });
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
    ['no inputs', { inputs: [] }, /input x is missing/],
    ['an unknown input', { inputs: [{ ...zeros([1, 3, 8, 8]), name: 'y' }] }, /no input y; it has x/],
    ['an input given twice', { inputs: [zeros([1, 3, 8, 8]), zeros([1, 3, 8, 8])] }, /given twice/],
    ['a wrong datatype', { inputs: [{ ...zeros([1, 3, 8, 8]), datatype: 'INT64' }] }, /wants FP32/],
    ['a wrong rank', { inputs: [zeros([3, 8, 8])] }, /wants \[-1, 3, -1, -1\]/],
    ['a wrong fixed dimension', { inputs: [zeros([1, 4, 8, 8])] }, /has shape \[1, 4, 8, 8\]/],
    ['too few elements', { inputs: [{ ...zeros([1, 3, 8, 8]), data: [1, 2] }] }, /has 2 elements.*needs 192/],
    [
      'text among numbers',
      { inputs: [{ ...zeros([1, 3, 1, 1]), data: [1, 'two', 3] }] },
      /element 1 \(\/inputs\/0\/data\/1\) is "two"/,
    ],
    [
      'a number that FP32 cannot hold',
      { inputs: [{ ...zeros([1, 3, 1, 1]), data: [0, 0, 1e39] }] },
      /data\/2\) is 1e\+39/,
    ],
    [
      'a number that no number holds',
      '{"inputs":[{"name":"x","datatype":"FP32","shape":[1,3,1,1],"data":[0,0,1e400]}]}',
      /data\/2/,
    ],
    [
      'a wrong element in nested data',
      { inputs: [{ ...zeros([1, 3, 1, 2]), data: [[[[0, 0]], [[0, null]], [[0, 0]]]] }] },
      /\(\/inputs\/0\/data\/0\/1\/0\/1\) is null/,
    ],
    ['NaN that is no JSON', '{"inputs":[{"name":"x","data":[1, NaN]}]}', /not JSON: JSON has no NaN/],
    ['an input without data', { inputs: [{ ...zeros([1, 3, 1, 1]), data: undefined }] }, /needs either data or/],
    [
      'binary data that did not come',
      { inputs: [{ ...zeros([1, 3, 1, 1]), data: undefined, parameters: { binary_data_size: 12 } }] },
      /12 bytes of binary data, and 0 are left/,
    ],
    [
      'an output that is wanted twice',
      { inputs: [zeros([1, 3, 8, 8])], outputs: [{ name: 'softmax_0.tmp_0' }, { name: 'softmax_0.tmp_0' }] },
      /wanted twice/,
    ],
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

const ones = (shape: number[]) => ({ ...zeros(shape), data: zeros(shape).data.fill(1) });

describe('binary tensor data', () => {
  let replica: RunningReplica;
  before(async () => {
    replica = await serveModel(identity('BYTES', ['n']));
  });
  after(() => replica.close());

  const text = (...texts: string[]) =>
    Buffer.concat(texts.flatMap((each) => [Buffer.from([Buffer.byteLength(each), 0, 0, 0]), Buffer.from(each)]));
  const inputOf = (binary_data_size: unknown, shape: number[] = [1]) => ({
    inputs: [{ name: 'x', datatype: 'BYTES', shape, parameters: { binary_data_size } }],
  });

  const hostile: [string, { body: Buffer; headers: Record<string, string> }, RegExp][] = [
    [
      'a header beyond the body',
      { ...binaryBody(inputOf(0)), headers: { 'inference-header-content-length': '99999' } },
      /the body has \d+ bytes/,
    ],
    [
      'a negative header',
      { ...binaryBody(inputOf(0)), headers: { 'inference-header-content-length': '-1' } },
      /is not a number of bytes/,
    ],
    [
      'a header of nothing',
      { ...binaryBody(inputOf(0)), headers: { 'inference-header-content-length': '0' } },
      /not JSON/,
    ],
    ['a size beyond the body', binaryBody(inputOf(100), text('a')), /100 bytes of binary data, and 5 are left/],
    ['the largest size', binaryBody(inputOf(Number.MAX_SAFE_INTEGER), text('a')), /5 are left/],
    ['a size that is no number', binaryBody(inputOf('5'), text('a')), /binary_data_size/],
    ['a negative size', binaryBody(inputOf(-5), text('a')), /binary_data_size/],
    ['bytes that nobody claims', binaryBody(inputOf(5), text('a', 'b')), /5 bytes that belong to no input/],
    ['a length that runs over', binaryBody(inputOf(5), Buffer.from([255, 255, 255, 255, 65])), /ends within element 0/],
    ['more elements than bytes', binaryBody(inputOf(5, [16_000_000]), text('a')), /too few for 16000000 elements/],
    ['a text with NUL', binaryBody(inputOf(7), text('a\0b')), /element 0 contains a NUL character/],
    [
      'data beside a size',
      binaryBody({ inputs: [{ ...inputOf(5).inputs[0], data: ['a'] }] }, text('a')),
      /either data or/,
    ],
  ];
  for (const [what, { body, headers }, reason] of hostile) {
    it(`refuses ${what} with 400 and a reason`, async () => {
      const answer = await replica.infer(body, headers);
      expect(answer.body.error).to.match(reason);
      expect(answer.status).to.equal(400);
    });
  }

  it('refuses in JSON, too, what ONNX Runtime would cut', async () => {
    const { status, body } = await replica.infer({
      inputs: [{ name: 'x', datatype: 'BYTES', shape: [1], data: ['a\0b'] }],
    });
    expect(status).to.equal(400);
    expect(body.error).to.match(/\/inputs\/0\/data\/0\) contains a NUL character/);
  });
});

describe('a model that does not run on its inputs', () => {
  let replica: RunningReplica;
  before(async () => {
    replica = await serveModel(
      model([{ op_type: 'Add', input: ['x', 'z'], output: ['y'], name: 'sum' }], {
        input: [aTensor('x', 'FP32', ['n']), aTensor('z', 'FP32', ['m'])],
        output: [aTensor('y', 'FP32', null)],
      }),
    );
  });
  after(() => replica.close());

  it("says what is wrong without the runtime's source, which is in the log", async () => {
    const { status, body } = await replica.infer({ inputs: [ones([5]), { ...ones([4]), name: 'z' }] });
    expect(status).to.equal(400);
    expect(body.error).to.equal(
      'the model cannot run on these inputs: the operator Add (sum) failed: Attempting to broadcast an axis by a dimension other than 1. 4 by 5',
    );
    expect(replica.log.join()).to.contain('element_wise_ops.h');
  });
});

describe('an answer that is too large for JSON', () => {
  let replica: RunningReplica;
  before(async () => {
    replica = await serveModel(
      model([{ op_type: 'Expand', input: ['x', 'side'], output: ['y'] }], {
        input: [aTensor('x', 'FP32', [1]), aTensor('side', 'INT64', [2])],
        output: [aTensor('y', 'FP32', ['n', 'm'])],
      }),
    );
  });
  after(() => replica.close());

  it('is refused with the way out, which leads there', async () => {
    const side = { name: 'side', datatype: 'INT64', shape: [2], data: [2_100, 2_100] };
    const inputs = [ones([1]), side];
    const refused = await replica.infer({ inputs });
    expect(refused.status).to.equal(400);
    expect(refused.body.error).to.match(/more than 4194304 elements, too many for JSON: ask for them as binary data/);
    const answer = await replica.infer({ inputs, outputs: [{ name: 'y', parameters: { binary_data: true } }] });
    expect(answer.status).to.equal(200);
    expect(answer.bytes.length).to.equal(4 * 2_100 * 2_100);
  });

  it('is refused where it takes more memory than there is', async () => {
    const side = { name: 'side', datatype: 'INT64', shape: [2], data: [10_000_000, 10_000_000] };
    const { status, body } = await replica.infer({ inputs: [ones([1]), side] });
    expect(status).to.equal(400);
    expect(body.error).to.match(/the operator Expand failed: it needs 400000000000000 bytes for one tensor/);
  });
});

describe('a replica that computes', () => {
  const side = [2_500, 2_500];
  let replica: RunningReplica;
  before(async () => {
    replica = await serveModel(
      model(
        [
          { op_type: 'Expand', input: ['x', 'side'], output: ['a'] },
          { op_type: 'MatMul', input: ['a', 'a'], output: ['b'] },
          { op_type: 'MatMul', input: ['b', 'a'], output: ['c'] },
          { op_type: 'ReduceMax', input: ['c'], output: ['y'] },
        ],
        {
          input: [aTensor('x', 'FP32', [1])],
          output: [aTensor('y', 'FP32', null)],
          initializer: [{ name: 'side', dims: [2], data_type: ELEM.INT64, int64_data: side }],
        },
      ),
    );
  });
  after(() => replica.close());

  it('still answers that it is alive, and drops a request whose caller is gone', async () => {
    const done: string[] = [];
    const computing = replica.infer({ inputs: [ones([1])] }).then(({ status }) => done.push(`computed ${status}`));
    const leaving = new AbortController();
    const left = fetch(`${replica.url}/v2/models/angle/infer`, {
      method: 'POST',
      body: JSON.stringify({ inputs: [ones([1])] }),
      signal: leaving.signal,
    }).catch(() => done.push('left'));
    const { status } = await fetch(`${replica.url}/v2/health/live`);
    done.push(`alive ${status}`);
    leaving.abort();
    await Promise.all([computing, left]);
    expect(done).to.deep.equal(['alive 200', 'left', 'computed 200']);
  });
});
