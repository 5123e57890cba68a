import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { z } from 'zod';
import { BodyTooLarge, readBounded } from '../../../resilience/bounded-body.ts';
import { MODEL_VERSION, type ServedModel } from './model.ts';
import { BadTensors, InferRequest } from './tensors.ts';

export interface InferenceServer {
  port: number;
  /** Stops listening, lets running requests finish for a moment, then cuts them off. */
  close(): Promise<void>;
}

const MAX_BODY_BYTES = 64 * 1024 * 1024;
/** Bound on concurrent requests; further ones are refused with 503. */
const MAX_IN_FLIGHT = 64;
const GRACE_MS = 3_000;

/** A refusal with its HTTP status; the protocol's error body is `{ "error": "<text>" }`. */
class HttpError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const readBody = async (request: IncomingMessage): Promise<string> => {
  try {
    return (await readBounded(request, MAX_BODY_BYTES)).toString('utf8');
  } catch (error) {
    if (error instanceof BodyTooLarge) throw new HttpError(413, `the body is larger than ${MAX_BODY_BYTES} bytes`);
    throw error;
  }
};

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    throw new HttpError(400, 'the body is not JSON');
  }
};

const parseInfer = (body: unknown): InferRequest => {
  const parsed = InferRequest.safeParse(body);
  if (!parsed.success)
    throw new HttpError(400, `not an inference request: ${z.prettifyError(parsed.error).replaceAll('\n', ' ')}`);
  return parsed.data;
};

/** `/v2/models/{name}[/versions/{version}][/ready|/infer]` */
const MODEL_PATH = /^\/v2\/models\/(?<name>[^/]+)(?:\/versions\/(?<version>[^/]+))?(?:\/(?<action>ready|infer))?$/;

const createRoutes = (model: ServedModel) => {
  const onModel = async (match: RegExpExecArray, request: IncomingMessage): Promise<unknown> => {
    const { name = '', version = MODEL_VERSION, action } = match.groups ?? {};
    if (decodeURIComponent(name) !== model.name) throw new HttpError(404, `no model ${name} here, only ${model.name}`);
    if (version !== MODEL_VERSION)
      throw new HttpError(404, `no version ${version} of ${model.name}, only ${MODEL_VERSION}`);
    const wanted = action === 'infer' ? 'POST' : 'GET';
    if (request.method !== wanted) throw new HttpError(405, `use ${wanted}`);
    if (action === 'infer') return model.infer(parseInfer(parseJson(await readBody(request))));
    return action === 'ready' ? { name: model.name, ready: true } : model.metadata;
  };

  return async (request: IncomingMessage): Promise<unknown> => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const match = MODEL_PATH.exec(path);
    if (match !== null) return onModel(match, request);
    if (request.method !== 'GET') throw new HttpError(404, `no ${request.method} ${path}`);
    if (path === '/v2') return { name: 'budapp-local-inference', version: '2', extensions: [] };
    if (path === '/v2/health/live') return { live: true };
    if (path === '/v2/health/ready') return { ready: true };
    throw new HttpError(404, `no ${path}`);
  };
};

const send = (response: ServerResponse, status: number, body: unknown) => {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
};

const asRefusal = (error: unknown): { status: number; message: string } => {
  if (error instanceof HttpError) return error;
  if (error instanceof BadTensors) return { status: 400, message: error.message };
  if (error instanceof URIError) return { status: 400, message: 'the path is not well-formed' };
  return { status: 500, message: 'the inference server failed; its log says why' };
};

export interface InferenceServerOptions {
  model: ServedModel;
  /** Called with errors that are not the caller's fault. */
  onError: (error: unknown) => void;
}

/** Serves one model over the Open Inference Protocol v2 (JSON tensors) on a free loopback port. */
export const startInferenceServer = async ({ model, onError }: InferenceServerOptions): Promise<InferenceServer> => {
  const route = createRoutes(model);
  let inFlight = 0;

  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    inFlight += 1;
    try {
      if (inFlight > MAX_IN_FLIGHT) throw new HttpError(503, `busy with ${MAX_IN_FLIGHT} requests; try again`);
      send(response, 200, await route(request));
    } catch (error) {
      const refusal = asRefusal(error);
      if (refusal.status === 500) onError(error);
      // Closes the connection, since the unread rest of the body must not be taken for the next request.
      if (!request.complete) response.setHeader('connection', 'close');
      send(response, refusal.status, { error: refusal.message });
    } finally {
      inFlight -= 1;
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
