import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { BodyTooLarge, readBounded } from '../../../resilience/bounded-body.ts';
import { errorBody, ownBytes } from './infer-reply.ts';
import type { ModelThread } from './model-thread.ts';
import { MODEL_VERSION } from './model-version.ts';
import { MAX_BODY_BYTES } from './tensors/limits.ts';

export interface InferenceServer {
  port: number;
  /** Stops listening, lets running requests finish for a moment, then cuts them off. */
  close(): Promise<void>;
}

/** Bounds on concurrent requests, and on their bodies together; further ones are refused with 503. */
const MAX_IN_FLIGHT = 64;
const MAX_BYTES_IN_FLIGHT = 512 * 1024 * 1024;
const GRACE_MS = 3_000;

/** Of the protocol's binary tensor data extension: how much of the body is JSON. */
export const JSON_BYTES = 'inference-header-content-length';

/** A refusal with its HTTP status; the protocol's error body is `{ "error": "<text>" }`. */
class HttpError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

interface Reply {
  status: number;
  body: Uint8Array;
  /** Where binary data follows the JSON. */
  json_bytes: number | null;
}

const json = (body: unknown): Reply => ({ status: 200, body: Buffer.from(JSON.stringify(body)), json_bytes: null });

const readBody = async (request: IncomingMessage): Promise<Buffer> => {
  try {
    return await readBounded(request, MAX_BODY_BYTES);
  } catch (error) {
    if (error instanceof BodyTooLarge) throw new HttpError(413, `the body is larger than ${MAX_BODY_BYTES} bytes`);
    throw error;
  }
};

/** What a body may take in memory; without its length it may be as large as any. */
const bytesOf = ({ headers, method }: IncomingMessage): number => {
  if (method === 'GET') return 0;
  return Math.min(Number(headers['content-length'] ?? MAX_BODY_BYTES) || 0, MAX_BODY_BYTES);
};

/** `/v2/models/{name}[/versions/{version}][/ready|/infer]` */
const MODEL_PATH = /^\/v2\/models\/(?<name>[^/]+)(?:\/versions\/(?<version>[^/]+))?(?:\/(?<action>ready|infer))?$/;

const createRoutes = ({ model, onError }: InferenceServerOptions) => {
  const { name: served } = model.metadata;

  const infer = async (request: IncomingMessage, gone: AbortSignal): Promise<Reply> => {
    const json_bytes = request.headers[JSON_BYTES];
    if (Array.isArray(json_bytes)) throw new HttpError(400, 'Inference-Header-Content-Length is given twice');
    const { log, ...reply } = await model.infer({ body: ownBytes(await readBody(request)), json_bytes }, gone);
    if (log !== null) onError(log);
    return reply;
  };

  const onModel = async (match: RegExpExecArray, request: IncomingMessage, gone: AbortSignal): Promise<Reply> => {
    const { name = '', version = MODEL_VERSION, action } = match.groups ?? {};
    if (decodeURIComponent(name) !== served) throw new HttpError(404, `no model ${name} here, only ${served}`);
    if (version !== MODEL_VERSION)
      throw new HttpError(404, `no version ${version} of ${served}, only ${MODEL_VERSION}`);
    const wanted = action === 'infer' ? 'POST' : 'GET';
    if (request.method !== wanted) throw new HttpError(405, `use ${wanted}`);
    if (action === 'infer') return infer(request, gone);
    return json(action === 'ready' ? { name: served, ready: true } : model.metadata);
  };

  return async (request: IncomingMessage, gone: AbortSignal): Promise<Reply> => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const match = MODEL_PATH.exec(path);
    if (match !== null) return onModel(match, request, gone);
    if (request.method !== 'GET') throw new HttpError(404, `no ${request.method} ${path}`);
    if (path === '/v2') {
      return json({ name: 'budapp-local-inference', version: '2', extensions: ['binary_tensor_data'] });
    }
    if (path === '/v2/health/live') return json({ live: true });
    if (path === '/v2/health/ready') return json({ ready: true });
    throw new HttpError(404, `no ${path}`);
  };
};

const send = (response: ServerResponse, { status, body, json_bytes }: Reply) => {
  response.writeHead(status, {
    'content-type': json_bytes === null ? 'application/json' : 'application/octet-stream',
    'content-length': body.length,
    ...(json_bytes === null ? {} : { [JSON_BYTES]: json_bytes }),
  });
  response.end(body);
};

const asRefusal = (error: unknown): { status: number; message: string } => {
  if (error instanceof HttpError) return error;
  if (error instanceof URIError) return { status: 400, message: 'the path is not well-formed' };
  return { status: 500, message: 'the inference server failed; its log says why' };
};

export interface InferenceServerOptions {
  model: ModelThread;
  /** Called with what belongs into the log: errors that are not the caller's fault, and the runtime's own words. */
  onError: (error: unknown) => void;
}

/** Serves one model over the Open Inference Protocol v2, with binary tensor data, on a free loopback port. */
export const startInferenceServer = async (options: InferenceServerOptions): Promise<InferenceServer> => {
  const route = createRoutes(options);
  let inFlight = 0;
  let bytesInFlight = 0;

  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const bytes = bytesOf(request);
    inFlight += 1;
    bytesInFlight += bytes;
    try {
      if (inFlight > MAX_IN_FLIGHT) throw new HttpError(503, `busy with ${MAX_IN_FLIGHT} requests; try again`);
      if (bytesInFlight > MAX_BYTES_IN_FLIGHT) throw new HttpError(503, 'busy with large requests; try again');
      send(response, await route(request, gone.signal));
    } catch (error) {
      if (gone.signal.aborted) return;
      const { status, message } = asRefusal(error);
      if (status === 500) options.onError(error);
      // Closes the connection, since the unread rest of the body must not be taken for the next request.
      if (!request.complete) response.setHeader('connection', 'close');
      send(response, { status, body: errorBody(message), json_bytes: null });
    } finally {
      inFlight -= 1;
      bytesInFlight -= bytes;
    }
  };

  const server = createServer((request, response) => void handle(request, response));
  server.requestTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });

  const close = () =>
    new Promise<void>((resolve) => {
      const cutOff = setTimeout(() => server.closeAllConnections(), GRACE_MS);
      server.close(() => {
        clearTimeout(cutOff);
        resolve();
      });
      server.closeIdleConnections();
    });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the inference server has no port');
  return { port: address.port, close };
};
