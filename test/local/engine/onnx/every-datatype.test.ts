import { expect } from 'chai';
import type { Json } from '../../json.ts';
import { aTensor, buildOnnx, type Elem, type Shape } from './build-onnx.ts';
import { binaryBody, type RunningReplica, serveModel } from './running-replica.ts';

/** Each datatype with elements at its borders, and their bytes. */
const SAMPLES: { datatype: Elem; elements: unknown[]; bytes: ArrayBufferView }[] = [
  { datatype: 'BOOL', elements: [true, false], bytes: Uint8Array.of(1, 0) },
  { datatype: 'UINT8', elements: [0, 255], bytes: Uint8Array.of(0, 255) },
  { datatype: 'UINT16', elements: [0, 65_535], bytes: Uint16Array.of(0, 65_535) },
  { datatype: 'UINT32', elements: [0, 2 ** 32 - 1], bytes: Uint32Array.of(0, 2 ** 32 - 1) },
  { datatype: 'UINT64', elements: [7, '18446744073709551615'], bytes: BigUint64Array.of(7n, 2n ** 64n - 1n) },
  { datatype: 'INT8', elements: [-128, 127], bytes: Int8Array.of(-128, 127) },
  { datatype: 'INT16', elements: [-32_768, 32_767], bytes: Int16Array.of(-32_768, 32_767) },
  { datatype: 'INT32', elements: [-(2 ** 31), 2 ** 31 - 1], bytes: Int32Array.of(-(2 ** 31), 2 ** 31 - 1) },
  { datatype: 'INT64', elements: ['-9223372036854775808', -1], bytes: BigInt64Array.of(-(2n ** 63n), -1n) },
  { datatype: 'FP16', elements: [-1.5, 'Infinity'], bytes: Uint16Array.of(0xbe00, 0x7c00) },
  { datatype: 'FP32', elements: [0.25, 'NaN'], bytes: Float32Array.of(0.25, Number.NaN) },
  { datatype: 'FP64', elements: [0.1, '-Infinity'], bytes: Float64Array.of(0.1, Number.NEGATIVE_INFINITY) },
  { datatype: 'BYTES', elements: ['', '🙂'], bytes: Uint8Array.of(0, 0, 0, 0, 4, 0, 0, 0, 0xf0, 0x9f, 0x99, 0x82) },
];

/** Of rank 0 to 5, of any rank, and with free dimensions: what the model declares, and what a request has. */
const SHAPES: { declared: Shape; asked: number[] }[] = [
  { declared: [], asked: [] },
  { declared: [2], asked: [2] },
  { declared: [2, 1], asked: [2, 1] },
  { declared: ['n', 1, 'm'], asked: [1, 1, 2] },
  { declared: [1, 2, 1, 1], asked: [1, 2, 1, 1] },
  { declared: ['n', 1, 1, 1, 1], asked: [2, 1, 1, 1, 1] },
  { declared: ['n'], asked: [0] },
  { declared: null, asked: [1, 2] },
  { declared: null, asked: [] },
];

const CASES = SAMPLES.flatMap(({ datatype, elements, bytes }) =>
  SHAPES.map(({ declared, asked }, index) => {
    const count = asked.reduce((product, size) => product * size, 1);
    const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    // The first BYTES sample is the empty text: its length alone.
    const first = datatype === 'BYTES' ? 4 : all.length / 2;
    return {
      ...{ name: `${datatype}-${index}`, datatype, declared, shape: asked },
      data: elements.slice(0, count),
      binary: all.subarray(0, [0, first, all.length][count]),
    };
  }),
);

/** One model with an input and an output for each case, since a replica takes a second to start. */
const MODEL = buildOnnx({
  node: CASES.map(({ name }) => ({ op_type: 'Identity', input: [name], output: [`${name}-out`] })),
  input: CASES.map(({ name, datatype, declared }) => aTensor(name, datatype, declared)),
  output: CASES.map(({ name, datatype, declared }) => aTensor(`${name}-out`, datatype, declared)),
});

describe('every datatype and rank that is promised', () => {
  let replica: RunningReplica;
  before(async () => {
    replica = await serveModel(MODEL);
  });
  after(() => replica.close());

  const jsonInputs = CASES.map(({ name, datatype, shape, data }) => ({ name, datatype, shape, data }));

  it('is described', async () => {
    const { inputs } = await replica.metadata();
    expect(inputs).to.deep.equal(
      CASES.map(({ name, datatype, declared }) => ({
        ...{ name, datatype, shape: declared?.map((size) => (typeof size === 'number' ? size : -1)) ?? [] },
        ...(declared === null ? { parameters: { any_rank: true } } : {}),
      })),
    );
  });

  it('comes back from an inference as it was, in JSON', async () => {
    const { status, body } = await replica.infer({ inputs: jsonInputs });
    expect(status, JSON.stringify(body)).to.equal(200);
    expect(body.outputs).to.deep.equal(jsonInputs.map((input) => ({ ...input, name: `${input.name}-out` })));
  });

  it('comes back from an inference as it was, as binary data', async () => {
    const inputs = CASES.map(({ name, datatype, shape, binary }) => ({
      ...{ name, datatype, shape, parameters: { binary_data_size: binary.length } },
    }));
    const all = CASES.map(({ binary }) => binary);
    const { body, headers } = binaryBody({ inputs, parameters: { binary_data_output: true } }, ...all);
    const answer = await replica.infer(body, headers);
    expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
    expect(answer.headers.get('content-type')).to.equal('application/octet-stream');
    expect(answer.body.outputs).to.deep.equal(inputs.map((input) => ({ ...input, name: `${input.name}-out` })));
    expect(answer.bytes).to.deep.equal(Buffer.concat(all));
  });

  it('can be mixed: some inputs and outputs in JSON, others as binary data', async () => {
    const [first, ...others] = jsonInputs;
    const { binary } = CASES[0] ?? { binary: Buffer.alloc(0) };
    const asBinary = { ...first, data: undefined, parameters: { binary_data_size: binary.length } };
    const outputs = [
      { name: 'INT64-1-out', parameters: { binary_data: true } },
      { name: 'FP32-1-out' },
      { name: 'BYTES-1-out', parameters: { binary_data: true } },
    ];
    const { body, headers } = binaryBody({ inputs: [asBinary, ...others], outputs }, binary);
    const answer = await replica.infer(body, headers);
    expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
    const [long, float, texts]: Json[] = answer.body.outputs;
    expect(long.parameters).to.deep.equal({ binary_data_size: 16 });
    expect(float.data).to.deep.equal([0.25, 'NaN']);
    expect(texts.parameters).to.deep.equal({ binary_data_size: 12 });
    expect(answer.bytes.readBigInt64LE(0)).to.equal(-(2n ** 63n));
    expect(answer.bytes.subarray(24).toString()).to.equal('🙂');
  });
});
