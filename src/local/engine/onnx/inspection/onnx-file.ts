import protobuf from 'protobufjs';
import { z } from 'zod';

/**
 * The fields of the ONNX file format that we read, with the numbers of its specification (onnx.proto, IR version 3 on).
 * What is not declared, above all the payload of every tensor, is skipped without being looked at.
 */
const DECLARATION = `
syntax = "proto3";
message Entry { string key = 1; string value = 2; }
message OperatorSet { string domain = 1; int64 version = 2; }
message Dimension { oneof value { int64 dim_value = 1; string dim_param = 2; } }
message Shape { repeated Dimension dim = 1; }
message TensorType { int32 elem_type = 1; Shape shape = 2; }
message ValueType { TensorType tensor_type = 1; }
message Value { string name = 1; ValueType type = 2; }
message Tensor { repeated int64 dims = 1; int32 data_type = 2; string name = 8; repeated Entry external_data = 13; int32 data_location = 14; }
message SparseTensor { Tensor values = 1; Tensor indices = 2; }
message Attribute { string name = 1; Tensor t = 5; Graph g = 6; repeated Tensor tensors = 10; repeated Graph graphs = 11; }
message Node { string name = 3; string op_type = 4; repeated Attribute attribute = 5; string domain = 7; }
message Graph { repeated Node node = 1; string name = 2; repeated Tensor initializer = 5; repeated Value input = 11; repeated Value output = 12; repeated SparseTensor sparse_initializer = 15; }
message Function { string name = 1; repeated Node node = 7; string domain = 10; }
message Model {
  int64 ir_version = 1; string producer_name = 2; string producer_version = 3; string domain = 4; int64 model_version = 5;
  string doc_string = 6; Graph graph = 7; repeated OperatorSet opset_import = 8; repeated Entry metadata_props = 14;
  repeated Function functions = 25;
}`;

const list = <Item extends z.ZodType>(item: Item) => z.array(item).default([]);
const text = z.string().default('');
const Entry = z.object({ key: text, value: text });

export const TensorEntry = z.object({
  dims: list(z.number()),
  data_type: z.number().default(0),
  name: text,
  external_data: list(Entry),
  data_location: z.number().default(0),
});
export type TensorEntry = z.infer<typeof TensorEntry>;

export const ValueEntry = z.object({
  name: text,
  type: z
    .object({
      tensor_type: z
        .object({
          elem_type: z.number().default(0),
          shape: z
            .object({ dim: list(z.object({ dim_value: z.number().optional(), dim_param: z.string().optional() })) })
            .optional(),
        })
        .optional(),
    })
    .optional(),
});
export type ValueEntry = z.infer<typeof ValueEntry>;

const AttributeEntry = z.object({
  name: text,
  t: TensorEntry.optional(),
  tensors: list(TensorEntry),
  get g() {
    return GraphEntry.optional();
  },
  get graphs() {
    return z.array(GraphEntry).default([]);
  },
});

export const NodeEntry = z.object({
  name: text,
  op_type: text,
  domain: text,
  get attribute() {
    return z.array(AttributeEntry).default([]);
  },
});
export type NodeEntry = z.infer<typeof NodeEntry>;

export const GraphEntry = z.object({
  get node() {
    return z.array(NodeEntry).default([]);
  },
  name: text,
  initializer: list(TensorEntry),
  sparse_initializer: list(z.object({ values: TensorEntry.optional(), indices: TensorEntry.optional() })),
  input: list(ValueEntry),
  output: list(ValueEntry),
});
export type GraphEntry = z.infer<typeof GraphEntry>;

export const OnnxFile = z.object({
  ir_version: z.number().positive(),
  producer_name: text,
  producer_version: text,
  domain: text,
  model_version: z.number().default(0),
  doc_string: text,
  graph: GraphEntry,
  opset_import: z.array(z.object({ domain: text, version: z.number().default(0) })).min(1),
  metadata_props: list(Entry),
  functions: list(z.object({ name: text, domain: text, node: list(NodeEntry) })),
});
export type OnnxFile = z.infer<typeof OnnxFile>;

const Model = protobuf.parse(DECLARATION, { keepCase: true }).root.lookupType('Model');

/** The file's own structure. Throws where the bytes are not an ONNX model, or end before it does. */
export const readOnnxFile = (bytes: Uint8Array): OnnxFile => {
  const reader = protobuf.Reader.create(bytes);
  reader.discardUnknown = true;
  return OnnxFile.parse(Model.toObject(Model.decode(reader), { longs: Number }));
};

/** The names of the inputs and outputs that are tensors of no stated rank. */
export const unrankedOf = ({ graph }: OnnxFile): Set<string> =>
  new Set(
    [...graph.input, ...graph.output].flatMap(({ name, type }) =>
      type?.tensor_type !== undefined && type.tensor_type.shape === undefined ? [name] : [],
    ),
  );
