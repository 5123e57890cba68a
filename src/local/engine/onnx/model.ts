import { readFile } from 'node:fs/promises';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { failureText } from '../../../failures/failure-text.ts';
import { MODEL_VERSION } from './model-version.ts';
import { runtimeProblem } from './runtime-problem.ts';
import { BadTensors, type InferRequest } from './tensors/infer-request.ts';
import { assertCallable, describePort, type PortDescription, portsOf, Unservable } from './tensors/ports.ts';
import { type MakeTensor, readInputs, type WrittenOutputs, wantedOutputs, writeOutputs } from './tensors/tensors.ts';

/** The answer to `GET /v2/models/{name}`. */
export interface ModelMetadata {
  name: string;
  versions: string[];
  platform: string;
  inputs: PortDescription[];
  outputs: PortDescription[];
}

/** An answer to an inference request before it is put into bytes. */
export interface InferAnswer extends Pick<WrittenOutputs, 'binary'> {
  json: { model_name: string; model_version: string; id?: string; outputs: object[] };
}

/** A model that is loaded and can answer. */
export interface ServedModel {
  name: string;
  metadata: ModelMetadata;
  /** Throws `BadTensors` where the request is at fault. */
  infer(request: InferRequest): Promise<InferAnswer>;
  close(): Promise<void>;
}

/** The runtime refuses the inputs; its own words are the cause. */
export class DoesNotRun extends BadTensors {}

const openSession = async (path: string): Promise<InferenceSession> => {
  const { InferenceSession } = await import('onnxruntime-node');
  try {
    // One thread each: the replicas of all deployments share this machine's cores.
    return await InferenceSession.create(path, {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      executionProviders: ['cpu'],
      // Errors come as exceptions, and a warning would come at each request.
      logSeverityLevel: 4,
    });
  } catch (cause) {
    const problem = runtimeProblem(failureText(cause)) ?? 'it gives no reason that can be shown';
    throw new Unservable(`ONNX Runtime cannot open the model: ${problem}`, { cause });
  }
};

/** The file is read only where its ports leave the question open, since it may be large. */
const unrankedPortsOf = async (path: string, session: InferenceSession): Promise<ReadonlySet<string>> => {
  const ports = [...session.inputMetadata, ...session.outputMetadata];
  if (!ports.some((port) => port.isTensor && port.shape.length === 0)) return new Set();
  // Loaded here, since most models do not need it, and each replica would pay for it.
  const { readOnnxFile, unrankedOf } = await import('./inspection/onnx-file.ts');
  return unrankedOf(readOnnxFile(await readFile(path)));
};

const readPorts = async (path: string, session: InferenceSession) => {
  const unranked = await unrankedPortsOf(path, session);
  const inputs = portsOf(session.inputMetadata, 'input', unranked);
  const outputs = portsOf(session.outputMetadata, 'output', unranked);
  assertCallable(inputs, outputs);
  return { inputs, outputs };
};

/** Loads an ONNX artefact for the CPU. Throws `Unservable` where it cannot be served. */
export const loadModel = async ({ name, path }: { name: string; path: string }): Promise<ServedModel> => {
  const { Tensor } = await import('onnxruntime-node');
  const session = await openSession(path);
  const { inputs, outputs } = await readPorts(path, session);

  const makeTensor: MakeTensor = (type, elements, shape) => {
    if (type !== 'float16') return new Tensor(type, elements, shape);
    // The runtime's class wants a Float16Array where Node has one, and its native half takes the bits only.
    return Object.defineProperty(new Tensor('uint16', elements, shape), 'type', { value: 'float16' });
  };

  const run = async (feeds: Record<string, Tensor>, fetches: string[]) => {
    try {
      return await session.run(feeds, fetches);
    } catch (cause) {
      const problem = runtimeProblem(failureText(cause)) ?? "the replica's log says why";
      throw new DoesNotRun(`the model cannot run on these inputs: ${problem}`, { cause });
    }
  };

  return {
    name,
    metadata: {
      name,
      versions: [MODEL_VERSION],
      platform: 'onnxruntime_onnx',
      inputs: inputs.map(describePort),
      outputs: outputs.map(describePort),
    },
    async infer(request) {
      const wanted = wantedOutputs(request, outputs);
      const names = wanted.map((output) => output.name);
      const results = await run(readInputs(request, inputs, makeTensor), names);
      const written = writeOutputs(
        wanted.map((output) => {
          const tensor = results[output.name];
          if (tensor === undefined) throw new Error(`the runtime gave no output ${output.name}`);
          return { ...output, tensor };
        }),
      );
      const id = request.id === undefined ? {} : { id: request.id };
      return {
        json: { model_name: name, model_version: MODEL_VERSION, ...id, outputs: written.outputs },
        binary: written.binary,
      };
    },
    close: () => session.release(),
  };
};
