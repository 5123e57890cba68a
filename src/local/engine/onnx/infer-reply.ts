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

/** The protocol's error body. */
export const errorBody = (error: string): Buffer => Buffer.from(JSON.stringify({ error }));
