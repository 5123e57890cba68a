import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { z } from 'zod';
import { datatypeOf, decodeElements, encodeElements, type ServableType, servableType } from './datatypes.ts';

/** A tensor that the model takes or gives. `shape` has -1 where the dimension is free. */
export interface Port {
  name: string;
  type: ServableType;
  shape: readonly number[];
}

/** The caller's fault: answered as 400 with the message. */
export class BadTensors extends Error {}

const MAX_ELEMENTS = 16 * 1024 * 1024;

const RequestTensor = z.object({
  name: z.string(),
  shape: z.array(z.int().nonnegative()).max(16),
  datatype: z.string(),
  parameters: z.record(z.string(), z.unknown()).optional(),
  // Not element by element: the datatype decides what an element may be.
  data: z.custom<unknown[]>(Array.isArray, 'must be an array'),
});
type RequestTensor = z.output<typeof RequestTensor>;

/** Body of `POST /v2/models/{name}/infer`, as the Open Inference Protocol writes it. */
export const InferRequest = z.object({
  id: z.string().max(200).optional(),
  parameters: z.record(z.string(), z.unknown()).optional(),
  inputs: z.array(RequestTensor).min(1).max(256),
  outputs: z
    .array(z.object({ name: z.string(), parameters: z.record(z.string(), z.unknown()).optional() }))
    .max(256)
    .optional(),
});
export type InferRequest = z.output<typeof InferRequest>;

/** The session's inputs or outputs. Throws where one is not a tensor, or has a type that cannot be served. */
export const portsOf = (metadata: readonly InferenceSession.ValueMetadata[]): Port[] =>
  metadata.map((value) => {
    if (!value.isTensor) throw new Error(`${value.name} is no tensor, and only tensors can be served`);
    const shape = value.shape.map((size) => (typeof size === 'number' ? size : -1));
    return { name: value.name, type: servableType(value.type), shape };
  });

export const describePort = ({ name, type, shape }: Port) => ({ name, datatype: datatypeOf(type), shape });

const shapeText = (shape: readonly number[]) => `[${shape.join(', ')}]`;

const checkShape = (port: Port, shape: readonly number[]): number => {
  const fits = shape.length === port.shape.length && port.shape.every((size, axis) => size < 0 || size === shape[axis]);
  if (!fits) {
    throw new BadTensors(
      `input ${port.name} has shape ${shapeText(shape)}, the model wants ${shapeText(port.shape)} (-1 is any size)`,
    );
  }
  const elements = shape.reduce((product, size) => product * size, 1);
  if (elements > MAX_ELEMENTS) throw new BadTensors(`input ${port.name} has more than ${MAX_ELEMENTS} elements`);
  return elements;
};

const encode = (port: Port, input: RequestTensor): Tensor.DataType => {
  if (input.datatype !== datatypeOf(port.type)) {
    throw new BadTensors(`input ${port.name} has datatype ${input.datatype}, the model wants ${datatypeOf(port.type)}`);
  }
  const expected = checkShape(port, input.shape);
  // Both the flat and the nested form are allowed by the protocol.
  const flat = input.data.flat(Math.max(0, input.shape.length - 1));
  if (flat.length !== expected) {
    throw new BadTensors(
      `input ${port.name} has ${flat.length} elements, its shape ${shapeText(input.shape)} needs ${expected}`,
    );
  }
  try {
    return encodeElements(port.type, flat);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new BadTensors(`input ${port.name}: ${cause.message}, which is no ${input.datatype}`, { cause });
  }
};

/** A `new Tensor(type, data, dims)`, so that this file needs the runtime's types only. */
export type MakeTensor = (type: ServableType, data: Tensor.DataType, shape: readonly number[]) => Tensor;

/** Checks a request's inputs against the model's and makes the tensors. Throws `BadTensors`. */
export const readInputs = (
  request: InferRequest,
  ports: readonly Port[],
  makeTensor: MakeTensor,
): Record<string, Tensor> => {
  const tensors: Record<string, Tensor> = {};
  for (const input of request.inputs) {
    const port = ports.find(({ name }) => name === input.name);
    if (port === undefined)
      throw new BadTensors(`the model has no input ${input.name}; it has ${ports.map(({ name }) => name).join(', ')}`);
    if (Object.hasOwn(tensors, port.name)) throw new BadTensors(`input ${port.name} is given twice`);
    tensors[port.name] = makeTensor(port.type, encode(port, input), input.shape);
  }
  const missing = ports.find(({ name }) => !Object.hasOwn(tensors, name));
  if (missing !== undefined) throw new BadTensors(`input ${missing.name} is missing`);
  return tensors;
};

/** The names of the wanted outputs; all where the request names none. Throws `BadTensors` for one that the model has not. */
export const wantedOutputs = (request: InferRequest, ports: readonly Port[]): string[] => {
  const names = ports.map(({ name }) => name);
  if (request.outputs === undefined || request.outputs.length === 0) return names;
  const unknown = request.outputs.find(({ name }) => !names.includes(name));
  if (unknown !== undefined)
    throw new BadTensors(`the model has no output ${unknown.name}; it has ${names.join(', ')}`);
  return request.outputs.map(({ name }) => name);
};

export const writeOutput = (name: string, tensor: Tensor) => ({
  name,
  shape: tensor.dims,
  datatype: datatypeOf(servableType(tensor.type)),
  data: decodeElements(tensor),
});
