import type { InferReply } from './infer-reply.ts';
import type { ModelMetadata } from './model.ts';

/** The data of the thread when it starts. */
export interface ModelThreadData {
  name: string;
  path: string;
}

/** One request; the thread gets the next when it has answered. */
export interface InferTask {
  body: Uint8Array<ArrayBuffer>;
  json_bytes: string | undefined;
}

export type ModelThreadMessage =
  | { type: 'loaded'; metadata: ModelMetadata }
  /** `log`: the runtime's own words. */
  | { type: 'failed'; reason: string; log: string }
  | { type: 'answered'; reply: InferReply };
