import type { Tensor } from 'onnxruntime-node';
import { failureText } from '../../../failures/failure-text.ts';
import {
  BadTensors,
  describePort,
  type InferRequest,
  type MakeTensor,
  portsOf,
  readInputs,
  wantedOutputs,
  writeOutput,
} from './tensors.ts';

/** A model that is loaded and can answer. */
export interface ServedModel {
  name: string;
  /** The answer to `GET /v2/models/{name}`. */
  metadata: ReturnType<typeof describe>;
  /** The answer to `POST /v2/models/{name}/infer`. Throws `BadTensors` where the request is at fault. */
  infer(request: InferRequest): Promise<unknown>;
  close(): Promise<void>;
}

/** The one version that is served; a new artefact is a new deployment. */
export const MODEL_VERSION = '1';

const describe = (name: string, inputs: ReturnType<typeof portsOf>, outputs: ReturnType<typeof portsOf>) => ({
  name,
  versions: [MODEL_VERSION],
  platform: 'onnxruntime_onnx',
  inputs: inputs.map(describePort),
  outputs: outputs.map(describePort),
});

/** Loads an ONNX artefact for the CPU. Throws the runtime's own error where it cannot run the file. */
export const loadModel = async ({ name, path }: { name: string; path: string }): Promise<ServedModel> => {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  // One thread each: the replicas of all deployments share this machine's cores.
  const session = await InferenceSession.create(path, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionProviders: ['cpu'],
  });
  const inputs = portsOf(session.inputMetadata);
  const outputs = portsOf(session.outputMetadata);
  const makeTensor: MakeTensor = (type, data, shape) => new Tensor(type, data, shape);

  const run = async (feeds: Record<string, Tensor>, fetches: string[]) => {
    try {
      return await session.run(feeds, fetches);
    } catch (cause) {
      throw new BadTensors(`the model cannot run on these inputs: ${failureText(cause)}`, {
        cause,
      });
    }
  };

  return {
    name,
    metadata: describe(name, inputs, outputs),
    async infer(request) {
      const names = wantedOutputs(request, outputs);
      const results = await run(readInputs(request, inputs, makeTensor), names);
      return {
        model_name: name,
        model_version: MODEL_VERSION,
        ...(request.id === undefined ? {} : { id: request.id }),
        outputs: names.flatMap((output) => {
          const tensor = results[output];
          return tensor === undefined ? [] : [writeOutput(output, tensor)];
        }),
      };
    },
    close: () => session.release(),
  };
};
