import { isAbsolute, normalize, sep } from 'node:path';
import { z } from 'zod';
import { Tensor } from '../../../../contracts/budmodel.ts';
import { datatypeByNumber } from '../onnx-datatypes.ts';
import type { GraphEntry, NodeEntry, OnnxFile, TensorEntry, ValueEntry } from './onnx-file.ts';

const MOST_PROPERTIES = 100;
const LONGEST_TEXT = 2_000;

/** Wider integers, booleans and texts are shapes, axes and indices, not weights. */
const WEIGHT_TYPES = new Set([1, 2, 3, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23]);
const EXTERNAL = 1;
const DYNAMIC = -1;

/** What an ONNX file says of itself. Null where it says nothing. */
export const OnnxFacts = z.object({
  /** Elements of all floating-point and 8-bit or smaller tensors that are initializers or values of `Constant` nodes. */
  num_params: z.number(),
  inputs: z.array(Tensor),
  outputs: z.array(Tensor),
  opset: z.record(z.string(), z.number()),
  producer: z.object({ name: z.string(), version: z.string().nullable() }).nullable(),
  ir_version: z.number(),
  model_version: z.number().nullable(),
  graph_name: z.string().nullable(),
  description: z.string().nullable(),
  metadata: z.record(z.string(), z.string()),
  /** How often each operator occurs, subgraphs included; outside the default domain as `domain.Operator`. */
  operators: z.record(z.string(), z.number()),
  /** Operator domains that are used and not defined by the model itself. */
  domains: z.array(z.string()),
  /** Files that hold weights instead of the model's own. */
  external_files: z.array(z.string()),
});
export type OnnxFacts = z.infer<typeof OnnxFacts>;

const orNull = (text: string): string | null => (text === '' ? null : text.slice(0, LONGEST_TEXT));

const tensorOf = (value: ValueEntry): z.infer<typeof Tensor> => {
  const tensor = value.type?.tensor_type;
  return {
    name: value.name,
    datatype: datatypeByNumber(tensor?.elem_type ?? 0),
    shape: tensor?.shape?.dim.map((dim) => dim.dim_value ?? DYNAMIC) ?? null,
  };
};

const domainOf = (domain: string): string => (domain === '' ? 'ai.onnx' : domain);

const nodesBelow = (nodes: readonly NodeEntry[]): NodeEntry[] =>
  nodes.flatMap((node) => [node, ...graphsOf(node).flatMap((graph) => nodesBelow(graph.node))]);

const graphsOf = (node: NodeEntry): GraphEntry[] =>
  node.attribute.flatMap((attribute) => [...(attribute.g === undefined ? [] : [attribute.g]), ...attribute.graphs]);

const weightsOf = (graph: GraphEntry): TensorEntry[] => [
  ...graph.initializer,
  ...graph.sparse_initializer.flatMap((sparse) => (sparse.values === undefined ? [] : [sparse.values])),
];

const constantsOf = (node: NodeEntry): TensorEntry[] =>
  node.attribute.flatMap((attribute) => [...(attribute.t === undefined ? [] : [attribute.t]), ...attribute.tensors]);

const sizeOf = (tensor: TensorEntry): number => tensor.dims.reduce((size, dim) => size * dim, 1);

const countOperators = (nodes: readonly NodeEntry[]): Record<string, number> => {
  const counts: Record<string, number> = Object.create(null);
  for (const node of nodes) {
    const domain = domainOf(node.domain);
    const name = domain === 'ai.onnx' ? node.op_type : `${domain}.${node.op_type}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return { ...counts };
};

export const factsOf = (file: OnnxFile): OnnxFacts => {
  const { graph } = file;
  const nodes = nodesBelow([...graph.node, ...file.functions.flatMap((each) => each.node)]);
  const subgraphs = nodes.flatMap(graphsOf);
  const initializers = [graph, ...subgraphs].flatMap(weightsOf);
  const constants = nodes.filter((node) => node.op_type === 'Constant').flatMap(constantsOf);
  const tensors = [...initializers, ...nodes.flatMap(constantsOf)];
  const given = new Set(graph.initializer.map((tensor) => tensor.name));
  const ownDomains = new Set(file.functions.map((each) => domainOf(each.domain)));
  const used = new Set(nodes.map((node) => domainOf(node.domain)));
  return {
    num_params: [...initializers, ...constants]
      .filter((tensor) => WEIGHT_TYPES.has(tensor.data_type))
      .reduce((sum, tensor) => sum + sizeOf(tensor), 0),
    // Old files list initializers among the inputs.
    inputs: graph.input.filter((value) => !given.has(value.name)).map(tensorOf),
    outputs: graph.output.map(tensorOf),
    opset: Object.fromEntries(file.opset_import.map((set) => [domainOf(set.domain), set.version])),
    producer: file.producer_name === '' ? null : { name: file.producer_name, version: orNull(file.producer_version) },
    ir_version: file.ir_version,
    model_version: file.model_version === 0 ? null : file.model_version,
    graph_name: orNull(graph.name),
    description: orNull(file.doc_string),
    metadata: Object.fromEntries(
      file.metadata_props
        .slice(0, MOST_PROPERTIES)
        .map((entry) => [entry.key.slice(0, LONGEST_TEXT), entry.value.slice(0, LONGEST_TEXT)]),
    ),
    operators: countOperators(nodes),
    domains: [...used].filter((domain) => !ownDomains.has(domain)),
    external_files: [...new Set(tensors.filter(isExternal).map(locationOf))].slice(0, MOST_PROPERTIES),
  };
};

const isExternal = (tensor: TensorEntry): boolean =>
  tensor.data_location === EXTERNAL || tensor.external_data.length > 0;

const locationOf = (tensor: TensorEntry): string =>
  (tensor.external_data.find((entry) => entry.key === 'location')?.value ?? '').slice(0, LONGEST_TEXT);

/** True where a path beside the model leads out of the model's own directory. */
export const escapes = (location: string): boolean => {
  const path = normalize(location.replaceAll('\\', '/'));
  return isAbsolute(path) || path === '..' || path.startsWith(`..${sep}`) || /^[a-z]:/i.test(location);
};
