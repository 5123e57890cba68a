import protobuf from 'protobufjs';

/** The fields of the ONNX file format that the tests write, with the numbers of its specification (onnx.proto). */
const DECLARATION = `
syntax = "proto3";
message OperatorSet { string domain = 1; int64 version = 2; }
message Dimension { oneof value { int64 dim_value = 1; string dim_param = 2; } }
message Shape { repeated Dimension dim = 1; }
message TensorType { int32 elem_type = 1; Shape shape = 2; }
message SequenceType { ValueType elem_type = 1; }
message MapType { int32 key_type = 1; ValueType value_type = 2; }
message ValueType { TensorType tensor_type = 1; SequenceType sequence_type = 4; MapType map_type = 5; OptionalType optional_type = 9; }
message OptionalType { ValueType elem_type = 1; }
message Value { string name = 1; ValueType type = 2; }
message Tensor { repeated int64 dims = 1; int32 data_type = 2; repeated float float_data = 4; repeated bytes string_data = 6; repeated int64 int64_data = 7; string name = 8; }
message Attribute { string name = 1; float f = 2; int64 i = 3; bytes s = 4; Tensor t = 5; repeated float floats = 7; repeated int64 ints = 8; repeated bytes strings = 9; int32 type = 20; }
message Node { repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4; repeated Attribute attribute = 5; string domain = 7; }
message Graph { repeated Node node = 1; string name = 2; repeated Tensor initializer = 5; repeated Value input = 11; repeated Value output = 12; }
message Model { int64 ir_version = 1; Graph graph = 7; repeated OperatorSet opset_import = 8; }`;

const Model = protobuf.parse(DECLARATION, { keepCase: true }).root.lookupType('Model');

export const ELEM = {
  ...{ FP32: 1, UINT8: 2, INT8: 3, UINT16: 4, INT16: 5, INT32: 6, INT64: 7, BYTES: 8, BOOL: 9, FP16: 10 },
  ...{ FP64: 11, UINT32: 12, UINT64: 13, BF16: 16, FP8_E4M3FN: 17, UINT4: 21, INT4: 22 },
} as const;
export type Elem = keyof typeof ELEM;

/** null: no rank is stated; a text is a free dimension. */
export type Shape = readonly (number | string)[] | null;

const dimension = (size: number | string) => (typeof size === 'number' ? { dim_value: size } : { dim_param: size });

export const tensorType = (elem: Elem, shape: Shape) => ({
  tensor_type: { elem_type: ELEM[elem], ...(shape === null ? {} : { shape: { dim: shape.map(dimension) } }) },
});

export const aTensor = (name: string, elem: Elem, shape: Shape) => ({ name, type: tensorType(elem, shape) });

/** The bytes of an ONNX file with this graph. */
export const buildOnnx = (graph: object, { opset = 21, domains = [] as string[] } = {}): Uint8Array =>
  Model.encode(
    Model.fromObject({
      ir_version: 10,
      graph: { name: 'test', ...graph },
      opset_import: [{ domain: '', version: opset }, ...domains.map((domain) => ({ domain, version: 3 }))],
    }),
  ).finish();

/** A model of these nodes. */
export const model = (node: object[], graph: object, options = {}): Uint8Array =>
  buildOnnx({ node, ...graph }, options);

/** A model that returns its input. */
export const identity = (elem: Elem, shape: Shape, { input = 'x', output = 'y', opset = 21 } = {}): Uint8Array =>
  model(
    [{ op_type: 'Identity', input: [input], output: [output] }],
    { input: [aTensor(input, elem, shape)], output: [aTensor(output, elem, shape)] },
    { opset },
  );

const TENSOR = 4;

/** A model without inputs that gives this tensor (of ONNX's TensorProto). */
export const constant = (tensor: { dims: number[]; [field: string]: unknown }, elem: Elem = 'FP32'): Uint8Array =>
  model([{ op_type: 'Constant', output: ['y'], attribute: [{ name: 'value', type: TENSOR, t: tensor }] }], {
    output: [aTensor('y', elem, tensor.dims)],
  });

export const sequenceOf = (elem_type: object) => ({ sequence_type: { elem_type } });

const INTS = 7;
const FLOATS = 6;
const STRING = 3;

/** What skl2onnx makes of a classifier: labels, and a sequence of maps from label to probability. */
export const classifier = ({ zipmap }: { zipmap: boolean }): Uint8Array => {
  const scores = zipmap ? 'scores' : 'probabilities';
  return buildOnnx(
    {
      node: [
        {
          ...{ op_type: 'LinearClassifier', domain: 'ai.onnx.ml', input: ['x'], output: ['label', scores] },
          attribute: [
            { name: 'classlabels_ints', type: INTS, ints: [0, 1] },
            { name: 'coefficients', type: FLOATS, floats: [1, -1, -1, 1] },
            { name: 'intercepts', type: FLOATS, floats: [0, 0] },
            { name: 'post_transform', type: STRING, s: Buffer.from('SOFTMAX') },
          ],
        },
        ...(zipmap
          ? [
              {
                ...{ op_type: 'ZipMap', domain: 'ai.onnx.ml', input: [scores], output: ['probabilities'] },
                attribute: [{ name: 'classlabels_int64s', type: INTS, ints: [0, 1] }],
              },
            ]
          : []),
      ],
      input: [aTensor('x', 'FP32', ['n', 2])],
      output: [
        aTensor('label', 'INT64', ['n']),
        zipmap
          ? {
              name: 'probabilities',
              type: {
                sequence_type: {
                  elem_type: { map_type: { key_type: ELEM.INT64, value_type: tensorType('FP32', []) } },
                },
              },
            }
          : aTensor('probabilities', 'FP32', ['n', 2]),
      ],
    },
    { domains: ['ai.onnx.ml'] },
  );
};
