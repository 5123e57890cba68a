/** The thread of a replica in which its model runs: native code and large JSON would keep the HTTP server from answering. */
import { parentPort, workerData } from 'node:worker_threads';
import { explain, failureText } from '../../../failures/failure-text.ts';
import { answerInference } from './infer-answer.ts';
import { loadModel, type ServedModel } from './model.ts';
import type { InferTask, ModelThreadData, ModelThreadMessage } from './model-thread-messages.ts';

const say = (message: ModelThreadMessage, moved: ArrayBuffer[] = []) => parentPort?.postMessage(message, moved);

const load = async (data: ModelThreadData): Promise<ServedModel | null> => {
  try {
    return await loadModel(data);
  } catch (error) {
    say({ type: 'failed', reason: failureText(error), log: explain(error) });
    return null;
  }
};

const model = await load(workerData);
if (model !== null) {
  parentPort?.on('message', async ({ body, json_bytes }: InferTask) => {
    const reply = await answerInference(model, { body: Buffer.from(body.buffer), json_bytes });
    say({ type: 'answered', reply }, [reply.body.buffer]);
  });
  say({ type: 'loaded', metadata: model.metadata });
}
