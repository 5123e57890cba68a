import type { InferenceSession } from 'onnxruntime-node';
import { datatypeOf, isServable, type ServableType } from './datatypes.ts';

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
