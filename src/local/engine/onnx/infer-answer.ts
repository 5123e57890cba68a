import { explain, failureText } from '../../../failures/failure-text.ts';
import { BadTensors, parseInferRequest } from './infer-request.ts';
import { DoesNotRun, type InferAnswer, type ServedModel } from './model.ts';

/** The answer to `POST /v2/models/{name}/infer` in bytes. */
export interface InferReply {
  status: 200 | 400 | 500;
  body: Uint8Array<ArrayBuffer>;
  /** The header Inference-Header-Content-Length: where binary data follows the JSON. */
  json_bytes: number | null;
  /** For the replica's log, for example the runtime's own words. */
  log: string | null;
}

/** Bytes that can be moved to another thread: Node keeps small buffers together in a pool, which cannot. */
export const ownBytes = (bytes: Buffer): Uint8Array<ArrayBuffer> =>
  bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength
    ? new Uint8Array(bytes.buffer)
    : new Uint8Array(bytes);

const writeAnswer = ({ json, binary }: InferAnswer): InferReply => {
  const head = Buffer.from(JSON.stringify(json));
  const json_bytes = binary.length === 0 ? null : head.length;
  return { status: 200, body: ownBytes(Buffer.concat([head, ...binary])), json_bytes, log: null };
};

/** The protocol's error body. */
export const errorBody = (error: string): Buffer => Buffer.from(JSON.stringify({ error }));

/** What the answer does not say. */
const logOf = (error: unknown): string | null => {
  if (error instanceof DoesNotRun) return explain(error);
  if (error instanceof BadTensors) return null;
  return error instanceof Error ? (error.stack ?? error.message) : failureText(error);
};

const refuse = (error: unknown): InferReply => {
  const isCallers = error instanceof BadTensors;
  const message = isCallers ? error.message : 'the inference server failed; its log says why';
  return { status: isCallers ? 400 : 500, body: ownBytes(errorBody(message)), json_bytes: null, log: logOf(error) };
};

/** Answers one request. Never rejects. */
export const answerInference = async (
  model: ServedModel,
  { body, json_bytes }: { body: Buffer; json_bytes: string | undefined },
): Promise<InferReply> => {
  try {
    return writeAnswer(await model.infer(parseInferRequest(body, json_bytes)));
  } catch (error) {
    return refuse(error);
  }
};
