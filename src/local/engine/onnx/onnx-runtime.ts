import { replicaFootprint } from '../../../events/resources.ts';
import type { Engine } from '../engine.ts';
import { launchReplica } from './launch-replica.ts';
import { checkPerformance } from './performance-check.ts';

/** Field 1 of the ONNX format, the IR version, which every writer puts first. */
const FIRST_BYTE = 0x08;

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
  title: 'ONNX Runtime',
  takes: (first_byte) => first_byte === FIRST_BYTE,
  launch: launchReplica,
  isAlive: (port, signal) => answers(`http://127.0.0.1:${port}/v2/health/live`, signal),
  isReady: (port, signal) => answers(`http://127.0.0.1:${port}/v2/health/ready`, signal),
  check: ({ url, model_name }, cancelled) => checkPerformance(`${url}${modelPath(model_name)}`, cancelled),
  paths: (model_name) => ['/v2/health/ready', modelPath(model_name), `${modelPath(model_name)}/infer`],
  footprint: replicaFootprint,
};
