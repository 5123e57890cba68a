import { explain, failureText } from '../../../failures/failure-text.ts';
import { errorBody, type InferReply, ownBytes } from './infer-reply.ts';
import { DoesNotRun, type InferAnswer, type ServedModel } from './model.ts';
import { BadTensors, parseInferRequest } from './tensors/infer-request.ts';

const writeAnswer = ({ json, binary }: InferAnswer): InferReply => {
  const head = Buffer.from(JSON.stringify(json));
  const json_bytes = binary.length === 0 ? null : head.length;
  return { status: 200, body: ownBytes(Buffer.concat([head, ...binary])), json_bytes, log: null };
};

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
