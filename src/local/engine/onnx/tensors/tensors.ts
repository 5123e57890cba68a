import type { Tensor } from 'onnxruntime-node';
import { MalformedBinary, readBinary, writeBinary } from './binary-elements.ts';
import { datatypeOf, type Elements, isServable, Misfit, type ServableType } from './datatypes.ts';
import { BadTensors, type InferRequest, type InputTensor } from './infer-request.ts';
import { decodeElements, encodeElements } from './json-elements.ts';
import { MAX_BINARY_BYTES, MAX_ELEMENTS, MAX_JSON_ELEMENTS } from './limits.ts';
import type { Port } from './ports.ts';

const shapeText = (shape: readonly number[]) => `[${shape.join(', ')}]`;

/** The number of elements. */
const checkShape = (port: Port, shape: readonly number[]): number => {
  const wanted = port.shape;
  if (
    wanted !== null &&
    (shape.length !== wanted.length || wanted.some((size, axis) => size >= 0 && size !== shape[axis]))
  ) {
    throw new BadTensors(
      `input ${port.name} has shape ${shapeText(shape)}, the model wants ${shapeText(wanted)} (-1 is any size)`,
    );
  }
  const elements = shape.reduce((product, size) => product * size, 1);
  if (elements > MAX_ELEMENTS) throw new BadTensors(`input ${port.name} has more than ${MAX_ELEMENTS} elements`);
  return elements;
};

/** Where an element stands in the request: flat, or nested as deep as the shape. */
const pathOf = (index: number, { data, shape }: InputTensor): string => {
  if (!Array.isArray(data?.[0])) return String(index);
  let rest = index;
  return shape
    .toReversed()
    .map((size) => {
      const at = rest % size;
      rest = Math.floor(rest / size);
      return at;
    })
    .reverse()
    .join('/');
};

const encodeJson = (port: Port, input: InputTensor, expected: number): Elements => {
  // Both the flat and the nested form are allowed by the protocol.
  const flat = (input.data ?? []).flat(Math.max(0, input.shape.length - 1));
  if (flat.length !== expected) {
    throw new BadTensors(
      `input ${port.name} has ${flat.length} elements, its shape ${shapeText(input.shape)} needs ${expected}`,
    );
  }
  return encodeElements(port.type, flat);
};

const encode = (port: Port, input: InputTensor, at: number): Elements => {
  if (input.datatype !== datatypeOf(port.type)) {
    throw new BadTensors(`input ${port.name} has datatype ${input.datatype}, the model wants ${datatypeOf(port.type)}`);
  }
  const expected = checkShape(port, input.shape);
  try {
    return input.binary === undefined
      ? encodeJson(port, input, expected)
      : readBinary(port.type, input.binary, expected);
  } catch (cause) {
    if (cause instanceof MalformedBinary)
      throw new BadTensors(`the binary data of input ${port.name} (${input.datatype}) ${cause.message}`, { cause });
    if (!(cause instanceof Misfit)) throw cause;
    const place = input.binary === undefined ? ` (/inputs/${at}/data/${pathOf(cause.index, input)})` : '';
    throw new BadTensors(`input ${port.name} is ${input.datatype}: element ${cause.index}${place} ${cause.message}`, {
      cause,
    });
  }
};

/** Makes a tensor of the runtime, so that this file needs the runtime's types only. */
export type MakeTensor = (type: ServableType, elements: Elements, shape: readonly number[]) => Tensor;

/** Checks a request's inputs against the model's and makes the tensors. Throws `BadTensors`. */
export const readInputs = (
  request: InferRequest,
  ports: readonly Port[],
  makeTensor: MakeTensor,
): Record<string, Tensor> => {
  // Without a prototype, since an input may have the name of one of its properties.
  const tensors: Record<string, Tensor> = Object.create(null);
  for (const [at, input] of request.inputs.entries()) {
    const port = ports.find(({ name }) => name === input.name);
    if (port === undefined)
      throw new BadTensors(`the model has no input ${input.name}; it has ${ports.map(({ name }) => name).join(', ')}`);
    if (Object.hasOwn(tensors, port.name)) throw new BadTensors(`input ${port.name} is given twice`);
    tensors[port.name] = makeTensor(port.type, encode(port, input, at), input.shape);
  }
  const missing = ports.find(({ name }) => !Object.hasOwn(tensors, name));
  if (missing !== undefined) throw new BadTensors(`input ${missing.name} is missing`);
  return tensors;
};

export interface WantedOutput {
  name: string;
  binary: boolean;
}

/** The wanted outputs; all where the request names none. Throws `BadTensors` for one that the model has not. */
export const wantedOutputs = (request: InferRequest, ports: readonly Port[]): WantedOutput[] => {
  const names = ports.map(({ name }) => name);
  if (request.outputs === undefined || request.outputs.length === 0)
    return names.map((name) => ({ name, binary: request.binary_output }));
  const seen = new Set<string>();
  for (const { name } of request.outputs) {
    if (!names.includes(name)) throw new BadTensors(`the model has no output ${name}; it has ${names.join(', ')}`);
    if (seen.has(name)) throw new BadTensors(`output ${name} is wanted twice`);
    seen.add(name);
  }
  return [...request.outputs];
};

/** The outputs as they are sent: in the JSON, or as bytes behind it. */
export interface WrittenOutputs {
  outputs: object[];
  binary: Buffer[];
}

/** Throws `BadTensors` where the outputs are too large for an answer: it is the request that makes them so. */
export const writeOutputs = (wanted: readonly { name: string; binary: boolean; tensor: Tensor }[]): WrittenOutputs => {
  const binary: Buffer[] = [];
  let inJson = 0;
  let inBinary = 0;
  const outputs = wanted.map(({ name, binary: asBinary, tensor }) => {
    if (!isServable(tensor.type)) throw new Error(`output ${name} has the element type ${tensor.type}`);
    const head = { name, shape: tensor.dims, datatype: datatypeOf(tensor.type) };
    if (!asBinary) {
      inJson += tensor.size;
      if (inJson > MAX_JSON_ELEMENTS) {
        throw new BadTensors(
          `the outputs have more than ${MAX_JSON_ELEMENTS} elements, too many for JSON: ask for them as binary data, or with smaller inputs`,
        );
      }
      return { ...head, data: decodeElements(tensor) };
    }
    const bytes = writeBinary(tensor.data);
    inBinary += bytes.length;
    if (inBinary > MAX_BINARY_BYTES) {
      throw new BadTensors(`the outputs have more than ${MAX_BINARY_BYTES} bytes: ask with smaller inputs`);
    }
    binary.push(bytes);
    return { ...head, parameters: { binary_data_size: bytes.length } };
  });
  return { outputs, binary };
};
