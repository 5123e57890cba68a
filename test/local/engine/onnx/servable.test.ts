import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { onnxRuntime } from '../../../../src/local/engine/onnx/onnx-runtime.ts';
import {
  aTensor,
  buildOnnx,
  classifier,
  constant,
  ELEM,
  identity,
  model,
  sequenceOf,
  tensorType,
} from './build-onnx.ts';
import { serveModel } from './running-replica.ts';

const x = (data: unknown[], shape = [data.length], datatype = 'FP32') => ({ name: 'x', datatype, shape, data });

/** Served: an inference, and what it gives. */
const served: [string, Uint8Array, { inputs: object[] }, object][] = [
  ['FP16', identity('FP16', ['n']), { inputs: [x([1.5, -2], [2], 'FP16')] }, { data: [1.5, -2] }],
  ['an input without rank', identity('FP32', null), { inputs: [x([1, 2, 3, 4], [2, 2])] }, { data: [1, 2, 3, 4] }],
  [
    'an input named __proto__',
    identity('FP32', ['n'], { input: '__proto__' }),
    { inputs: [{ ...x([1, 2]), name: '__proto__' }] },
    { data: [1, 2] },
  ],
  [
    'an output named constructor',
    identity('FP32', ['n'], { output: 'constructor' }),
    { inputs: [x([1, 2])] },
    { name: 'constructor', data: [1, 2] },
  ],
  [
    'a classifier without ZipMap',
    classifier({ zipmap: false }),
    { inputs: [x([0, 0], [1, 2])] },
    { name: 'probabilities', data: [0.5, 0.5] },
  ],
  [
    'no input at all',
    constant({ data_type: ELEM.FP32, dims: [2], float_data: [1, 2] }),
    { inputs: [] },
    { data: [1, 2] },
  ],
  [
    'a model that does not run on zeros, but on what it is for',
    model([{ op_type: 'Reshape', input: ['x', 's'], output: ['y'] }], {
      input: [aTensor('x', 'FP32', ['n'])],
      output: [aTensor('y', 'FP32', null)],
      initializer: [{ name: 's', dims: [2], data_type: ELEM.INT64, int64_data: [5, 3] }],
    }),
    { inputs: [x(new Array(15).fill(7))] },
    { shape: [5, 3] },
  ],
  [
    'a result that is no number',
    model([{ op_type: 'Log', input: ['x'], output: ['y'] }], {
      input: [aTensor('x', 'FP32', [3])],
      output: [aTensor('y', 'FP32', [3])],
    }),
    { inputs: [x([-1, 0, 'Infinity'])] },
    { data: ['NaN', '-Infinity', 'Infinity'] },
  ],
  [
    'a text with a NUL in a result',
    constant({ data_type: ELEM.BYTES, dims: [1], string_data: [Buffer.from('a\0b')] }, 'BYTES'),
    { inputs: [] },
    { data: ['a\0b'] },
  ],
];

/** Refused at onboarding, with the way out. */
const refused: [string, Uint8Array, RegExp][] = [
  ['a classifier that gives maps', classifier({ zipmap: true }), /output probabilities .* no tensor.*'zipmap': False/],
  [
    'a sequence as input',
    model([{ op_type: 'SequenceLength', input: ['x'], output: ['y'] }], {
      input: [{ name: 'x', type: sequenceOf(tensorType('FP32', ['n'])) }],
      output: [aTensor('y', 'INT64', [])],
    }),
    /input x .* no tensor.*: export the model with tensors as its inputs/,
  ],
  ['an output named __proto__', identity('FP32', [1], { output: '__proto__' }), /give it another name/],
  ['an element type without a name', identity('BF16', [1]), /element type BF16, .*cast it/],
  ['no output', buildOnnx({ input: [aTensor('x', 'FP32', [1])] }), /no output/],
  [
    'an operator that is not there',
    model([{ op_type: 'Nonsense', input: ['x'], output: ['y'] }], {
      input: [aTensor('x', 'FP32', [1])],
      output: [aTensor('y', 'FP32', [1])],
    }),
    /^ONNX Runtime cannot open the model: ONNX has no operator Nonsense in version 21 of its set$/,
  ],
  ['an input without a name', identity('FP32', [1], { input: '' }), /open the model: This is an invalid model/],
  ['an input that no request can hold', identity('FP32', [100_000, 'n', 100_000]), /input x has more than 16777216 el/],
  ['inputs that are larger than a request', identity('FP64', [4_000, 4_000]), /128000000 bytes, and a request at most/],
  ['more dimensions than a request may have', identity('FP32', new Array(65).fill(1)), /more than 64 dimensions/],
  ['a name without end', identity('FP32', [1], { input: 'x'.repeat(1_001) }), /longer than 1000 characters/],
  ['an opset of the future', identity('FP32', [1], { opset: 99 }), /opset 99 of ai\.onnx.* up to \d+: export it/],
  [
    'shapes that can never fit',
    model([{ op_type: 'Reshape', input: ['x', 's'], output: ['y'], name: 'head' }], {
      input: [aTensor('x', 'FP32', [5])],
      output: [aTensor('y', 'FP32', null)],
      initializer: [{ name: 's', dims: [2], data_type: ELEM.INT64, int64_data: [2, 3] }],
    }),
    /^the model cannot be served: .*the operator Reshape \(head\) failed: The input tensor cannot be reshaped/,
  ],
];

describe('what onboarding calls ready is served', () => {
  let dir: string;
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'servable-'));
  });
  after(() => rm(dir, { recursive: true }));

  const onboard = async (bytes: Uint8Array) => {
    const path = join(dir, 'model.onnx');
    await writeFile(path, bytes);
    return onnxRuntime.artefact.inspect(path, { open: true, signal: new AbortController().signal });
  };

  for (const [what, bytes, request, expected] of served) {
    it(`accepts and serves ${what}`, async () => {
      expect(await onboard(bytes)).to.include({ accepted: true });
      const replica = await serveModel(bytes);
      try {
        const { status, body } = await replica.infer(request);
        expect(status, JSON.stringify(body)).to.equal(200);
        expect(body.outputs.at(-1)).to.deep.include(expected);
      } finally {
        await replica.close();
      }
    });
  }

  for (const [what, bytes, reason] of refused) {
    it(`refuses ${what}, with what to do`, async () => {
      const inspection = await onboard(bytes);
      expect(inspection).to.include({ accepted: false });
      const text = inspection.accepted ? '' : inspection.reason;
      expect(text).to.match(reason);
      expect(text).not.to.match(/\.(h|cc|cpp):|::|onnxruntime_src/);
      expect(text).not.to.contain(dir);
    });
  }
});
