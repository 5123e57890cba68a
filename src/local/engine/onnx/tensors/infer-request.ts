import { z } from 'zod';
import { LONGEST_NAME, MAX_RANK, MAX_TENSORS } from './limits.ts';
import { parseLossless } from './parse-lossless.ts';

/** The caller's fault: answered as 400 with the message, which names the place where there is one. */
export class BadTensors extends Error {}

const parametersOf = <Shape extends z.ZodRawShape>(shape: Shape) => z.looseObject(shape).optional();

const Name = z.string().max(LONGEST_NAME);
const LONGEST_REFUSAL = 1_000;

const RequestTensor = z.object({
  name: Name,
  shape: z.array(z.int().nonnegative()).max(MAX_RANK),
  datatype: z.string().max(100),
  parameters: parametersOf({ binary_data_size: z.int().nonnegative().optional() }),
  // Not element by element: the datatype decides what an element may be.
  data: z.custom<unknown[]>(Array.isArray, 'must be an array').optional(),
});

const RequestedOutput = z.object({
  name: Name,
  parameters: parametersOf({ binary_data: z.boolean().optional() }),
});

/** The JSON of `POST /v2/models/{name}/infer`, as the Open Inference Protocol and its binary tensor data extension write it. */
const InferJson = z.object({
  id: z.string().max(200).optional(),
  parameters: parametersOf({ binary_data_output: z.boolean().optional() }),
  inputs: z.array(RequestTensor).max(MAX_TENSORS),
  outputs: z.array(RequestedOutput).max(MAX_TENSORS).optional(),
});

/** `binary`: the tensor's bytes where they do not stand in `data`. */
export type InputTensor = Omit<z.output<typeof RequestTensor>, 'parameters'> & { binary?: Buffer };

export interface InferRequest {
  id: string | undefined;
  inputs: readonly InputTensor[];
  /** Absent: all, each in the form of `binary_output`. */
  outputs: readonly { name: string; binary: boolean }[] | undefined;
  binary_output: boolean;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

const NO_JSON_NUMBER = /[[,:\s](?:NaN|-?Infinity)\b/;

const parseJson = (bytes: Buffer): unknown => {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new BadTensors('the body is not UTF-8');
  }
  try {
    return parseLossless(text);
  } catch {
    const hint = NO_JSON_NUMBER.test(text)
      ? ': JSON has no NaN and no Infinity; send the texts "NaN", "Infinity" and "-Infinity", or binary tensor data'
      : '';
    throw new BadTensors(`the body is not JSON${hint}`);
  }
};

/** `json_bytes`: the header Inference-Header-Content-Length; without it the body is JSON only. */
const splitBody = (body: Buffer, json_bytes: string | undefined): { json: Buffer; binary: Buffer } => {
  if (json_bytes === undefined) return { json: body, binary: body.subarray(body.length) };
  if (!/^\d{1,15}$/.test(json_bytes)) throw new BadTensors('Inference-Header-Content-Length is not a number of bytes');
  const length = Number(json_bytes);
  if (length > body.length) {
    throw new BadTensors(`Inference-Header-Content-Length is ${length}, and the body has ${body.length} bytes`);
  }
  return { json: body.subarray(0, length), binary: body.subarray(length) };
};

/** Gives each input its part of the bytes after the JSON, in their order. */
const distribute = (inputs: z.output<typeof InferJson>['inputs'], binary: Buffer): InputTensor[] => {
  let offset = 0;
  const tensors = inputs.map(({ parameters, ...input }, index): InputTensor => {
    const size = parameters?.binary_data_size;
    if ((size === undefined) === (input.data === undefined)) {
      throw new BadTensors(
        `input ${input.name} (/inputs/${index}) needs either data or the parameter binary_data_size`,
      );
    }
    if (size === undefined) return input;
    if (size > binary.length - offset) {
      throw new BadTensors(
        `input ${input.name} (/inputs/${index}/parameters/binary_data_size) has ${size} bytes of binary data, and ${binary.length - offset} are left in the body (the header Inference-Header-Content-Length says where they begin)`,
      );
    }
    offset += size;
    return { ...input, binary: binary.subarray(offset - size, offset) };
  });
  if (offset < binary.length)
    throw new BadTensors(`the body has ${binary.length - offset} bytes that belong to no input`);
  return tensors;
};

/** Parses the body of an inference request. Throws `BadTensors`. */
export const parseInferRequest = (body: Buffer, json_bytes: string | undefined): InferRequest => {
  const { json, binary } = splitBody(body, json_bytes);
  const parsed = InferJson.safeParse(parseJson(json));
  if (!parsed.success) {
    const problem = z.prettifyError(parsed.error).replaceAll('\n', ' ').slice(0, LONGEST_REFUSAL);
    throw new BadTensors(`not an inference request: ${problem}`);
  }
  const { id, inputs, outputs, parameters } = parsed.data;
  const binary_output = parameters?.binary_data_output ?? false;
  return {
    id,
    binary_output,
    inputs: distribute(inputs, binary),
    outputs: outputs?.map(({ name, parameters: own }) => ({ name, binary: own?.binary_data ?? binary_output })),
  };
};
