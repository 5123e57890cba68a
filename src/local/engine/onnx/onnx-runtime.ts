import { fileURLToPath } from 'node:url';
import { replicaFootprint } from '../../../events/resources.ts';
import type { ArtefactKind, Engine } from '../engine.ts';
import { forkReplica } from '../fork-replica.ts';
import { createInspector } from './inspection/inspector.ts';
import { checkPerformance } from './performance-check.ts';
import { JSON_BYTES } from './server.ts';

const MAIN = fileURLToPath(new URL('./replica-main.ts', import.meta.url));

/** Field 1 of the format, the IR version, which every writer puts first. */
const FIRST_BYTE = 0x08;

const onnxModel: ArtefactKind = {
  format: 'onnx',
  title: 'ONNX',
  one: 'an ONNX model',
  file_name: 'model.onnx',
  matches: ({ first_bytes }) => first_bytes[0] === FIRST_BYTE,
  inspect: createInspector(),
};

const answers = async (url: string, signal: AbortSignal): Promise<boolean> => {
  try {
    const response = await fetch(url, { signal });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
};

const modelPath = (model_name: string): string => `/v2/models/${encodeURIComponent(model_name)}`;

/** ONNX Runtime behind the Open Inference Protocol v2. */
export const onnxRuntime: Engine = {
  name: 'onnxruntime',
  artefact: onnxModel,
  launch: (options) => forkReplica(MAIN, options),
  isAlive: (port, signal) => answers(`http://127.0.0.1:${port}/v2/health/live`, signal),
  isReady: (port, signal) => answers(`http://127.0.0.1:${port}/v2/health/ready`, signal),
  check: ({ url, model_name, headers }, cancelled) =>
    checkPerformance({ url: `${url}${modelPath(model_name)}`, headers }, cancelled),
  serves: (path) => path === '/v2' || path.startsWith('/v2/'),
  infers: (method, path) => method === 'POST' && path.endsWith('/infer'),
  headers: [JSON_BYTES],
  paths: (model_name) => ['/v2/health/ready', modelPath(model_name), `${modelPath(model_name)}/infer`],
  footprint: replicaFootprint,
};
