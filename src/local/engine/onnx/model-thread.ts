import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { InferReply } from './infer-reply.ts';
import type { ModelMetadata } from './model.ts';
import type { InferTask, ModelThreadData, ModelThreadMessage } from './model-thread-messages.ts';

const MAIN = new URL('./model-thread-main.ts', import.meta.url);

/** Whoever asked does not wait longer than this (the cluster's ingress gives up then), so the model is stuck. */
const LONGEST_INFERENCE_MS = 65_000;

/** The model could not be loaded; the message says why, for the user. */
export class LoadFailed extends Error {
  /** The runtime's own words. */
  readonly log: string;

  constructor(reason: string, log: string) {
    super(reason);
    this.log = log;
  }
}

/** A model in a thread of its own. */
export interface ModelThread {
  metadata: ModelMetadata;
  /** Requests are answered one after the other. One whose signal aborts before its turn is dropped, and rejects. */
  infer(task: InferTask, signal: AbortSignal): Promise<InferReply>;
  close(): Promise<void>;
}

/** Throws `LoadFailed`. `onBroken`: the thread has ended or does not come back, and answers nothing from now on. */
export const openModelThread = async (data: ModelThreadData, onBroken: (why: string) => void): Promise<ModelThread> => {
  const worker = new Worker(MAIN, { workerData: data });
  const listen = async (): Promise<ModelThreadMessage> => (await once(worker, 'message'))[0];

  const first = await listen();
  if (first.type !== 'loaded')
    throw new LoadFailed(first.type === 'failed' ? first.reason : '', first.type === 'failed' ? first.log : '');
  worker.once('error', (error) => onBroken(`the thread of the model failed: ${error.message}`));

  const perform = async (task: InferTask, signal: AbortSignal): Promise<InferReply> => {
    signal.throwIfAborted();
    const stuck = setTimeout(
      () => onBroken(`an inference takes longer than ${LONGEST_INFERENCE_MS / 1000} s`),
      LONGEST_INFERENCE_MS,
    );
    try {
      const answer = listen();
      worker.postMessage(task, [task.body.buffer]);
      const message = await answer;
      if (message.type !== 'answered') throw new Error(`the thread of the model said ${message.type}`);
      return message.reply;
    } finally {
      clearTimeout(stuck);
    }
  };

  let last: Promise<unknown> = Promise.resolve();
  return {
    metadata: first.metadata,
    infer(task, signal) {
      const turn = last.then(() => perform(task, signal));
      last = turn.catch(() => undefined);
      return turn;
    },
    async close() {
      await worker.terminate();
    },
  };
};
