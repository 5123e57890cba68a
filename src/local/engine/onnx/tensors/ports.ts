import type { InferenceSession } from 'onnxruntime-node';
import { BYTES_PER_ELEMENT } from './binary-elements.ts';
import { datatypeOf, isServable, type ServableType } from './datatypes.ts';
import { LONGEST_NAME, MAX_BODY_BYTES, MAX_ELEMENTS, MAX_RANK, MAX_TENSORS } from './limits.ts';

/** A tensor that the model takes or gives. `shape` has -1 where the dimension is free; null: of any rank. */
export interface Port {
  name: string;
  type: ServableType;
  shape: readonly number[] | null;
}

/** The model cannot be served over the protocol. The message says why and what to do, for the user. */
export class Unservable extends Error {}

type Direction = 'input' | 'output';

const NO_TENSOR = {
  input: 'export the model with tensors as its inputs',
  output: "export the model with tensors as its outputs (skl2onnx: options={'zipmap': False})",
} as const satisfies Record<Direction, string>;

const portOf = (value: InferenceSession.ValueMetadata, direction: Direction, unranked: ReadonlySet<string>): Port => {
  const { name } = value;
  if (!value.isTensor) {
    throw new Unservable(
      `the ${direction} ${name} is a sequence, a map or another type that is no tensor, and only tensors can be served: ${NO_TENSOR[direction]}`,
    );
  }
  if (!isServable(value.type)) throw new Unservable(unservableType(value.type.toUpperCase()));
  // The runtime keeps what it gives in a plain object, where this name would be lost.
  if (direction === 'output' && name === '__proto__') {
    throw new Unservable('the output __proto__ cannot be served: give it another name');
  }
  // The runtime tells no difference between a scalar and a tensor of any rank.
  const anyRank = value.shape.length === 0 && unranked.has(name);
  return {
    name,
    type: value.type,
    shape: anyRank ? null : value.shape.map((size) => (typeof size === 'number' ? size : -1)),
  };
};

/** Of the smallest tensor that the port takes: free dimensions count 1. */
const fewestElements = ({ shape }: Port): number =>
  (shape ?? []).reduce((product, size) => product * (size < 0 ? 1 : size), 1);

const fewestBytes = (port: Port): number => fewestElements(port) * (BYTES_PER_ELEMENT[port.type] ?? 4);

/** Why not even the smallest request could be sent; null where it could. */
const requestProblem = (inputs: readonly Port[]): string | null => {
  const large = inputs.find((port) => fewestElements(port) > MAX_ELEMENTS);
  if (large !== undefined) return `the input ${large.name} has more than ${MAX_ELEMENTS} elements`;
  const bytes = inputs.reduce((sum, port) => sum + fewestBytes(port), 0);
  return bytes > MAX_BODY_BYTES ? `the inputs have ${bytes} bytes, and a request at most ${MAX_BODY_BYTES}` : null;
};

const portProblem = (ports: readonly Port[], direction: Direction): string | null => {
  if (ports.length > MAX_TENSORS) return `it has ${ports.length} ${direction}s, and at most ${MAX_TENSORS} can be sent`;
  const deep = ports.find(({ shape }) => (shape?.length ?? 0) > MAX_RANK);
  if (deep !== undefined) return `the ${direction} ${deep.name} has more than ${MAX_RANK} dimensions`;
  const long = ports.find(({ name }) => name.length > LONGEST_NAME);
  if (long === undefined) return null;
  return `the name of the ${direction} ${long.name.slice(0, 40)}… is longer than ${LONGEST_NAME} characters`;
};

/** Throws `Unservable` where no request to the model could be within the limits. */
export const assertCallable = (inputs: readonly Port[], outputs: readonly Port[]): void => {
  const problem = portProblem(inputs, 'input') ?? portProblem(outputs, 'output') ?? requestProblem(inputs);
  if (problem !== null) throw new Unservable(`the model cannot be called: ${problem}`);
};

/** `type`: as the protocol, or else ONNX, writes it. */
export const unservableType = (type: string): string =>
  `an input or output has the element type ${type}, which cannot be served: cast it to one that the Open Inference Protocol and ONNX Runtime both carry, for example FP32`;

/** The session's inputs or outputs. `unranked`: those whose rank the file does not state. Throws `Unservable`. */
export const portsOf = (
  metadata: readonly InferenceSession.ValueMetadata[],
  direction: Direction,
  unranked: ReadonlySet<string>,
): Port[] => metadata.map((value) => portOf(value, direction, unranked));

/** As the protocol describes a tensor. It has no form for any rank: that is told in the parameters. */
export const describePort = ({ name, type, shape }: Port) => ({
  name,
  datatype: datatypeOf(type),
  shape: shape ?? [],
  ...(shape === null ? { parameters: { any_rank: true } } : {}),
});
export type PortDescription = ReturnType<typeof describePort>;
