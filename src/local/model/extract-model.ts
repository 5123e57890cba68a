import { copyFile, link, mkdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ExtractModelRequest, type ModelInfo } from '../../contracts/budmodel.ts';
import type { FetchArtefact } from '../service/artefact-cache.ts';
import { findRegularFile } from '../service/disk-path.ts';
import { StepFailed, type WorkflowKind } from '../service/workflows.ts';
import type { Inspection } from './inspection.ts';
import type { Inspect } from './inspector.ts';

type Accepted = Extract<Inspection, { accepted: true }>;

const modelInfoOf = (uri: string, { facts, file_size_bytes, sha256 }: Accepted): ModelInfo => ({
  author: facts.metadata.author ?? null,
  description: facts.description,
  uri,
  modality: null,
  tags: null,
  tasks: null,
  license: facts.metadata.license ?? null,
  architecture: {
    format: 'onnx',
    num_params: facts.num_params,
    inputs: facts.inputs,
    outputs: facts.outputs,
    opset: facts.opset,
    producer: facts.producer,
    ir_version: facts.ir_version,
    model_version: facts.model_version,
    graph_name: facts.graph_name,
    metadata: facts.metadata,
    operators: facts.operators,
    file_size_bytes,
    sha256,
  },
});

/** A second name for the file where the file system allows it, else a copy: models are large. */
const obtain = async (from: string, to: string): Promise<void> => {
  await rm(to, { force: true });
  await link(from, to).catch(() => copyFile(from, to));
};

/** `POST model-info/extract` for files on this machine and in our object storage: what the artefact says of itself, and nothing else. */
export const extractModel = (options: {
  models_dir: string;
  inspect: Inspect;
  fetchArtefact: FetchArtefact;
}): WorkflowKind<typeof ExtractModelRequest> => ({
  type: 'perform_model_extraction',
  workflow_name: 'perform_model_extraction',
  eta_minutes: 1,
  steps: [
    { id: 'validation', title: 'Validating the model', description: 'The reference names a file that can be read' },
    { id: 'model_download', title: 'Fetching the model', description: 'The file is taken into the model store' },
    { id: 'model_extraction', title: 'Reading the model', description: "The artefact's own metadata is read" },
    { id: 'save_model', title: 'Saving the model', description: 'The model is ready to be deployed' },
  ],
  request: ExtractModelRequest,
  failure_result: () => null,
  async perform(request, { id, signal, step }) {
    const dir = join(options.models_dir, id);
    try {
      const source = await step('validation', async () => {
        if (request.provider_type !== 'disk') {
          throw new StepFailed(`the local model service reads files only, not ${request.provider_type}`);
        }
        const file = await findRegularFile(request.model_uri, { fetchArtefact: options.fetchArtefact, signal });
        return { message: `${basename(file.path)}, ${file.size_bytes} bytes`, value: file.path };
      });
      const path = await step('model_download', async () => {
        await mkdir(dir, { recursive: true });
        const target = join(dir, basename(source));
        await obtain(source, target);
        return { message: 'the file is in the model store', value: target };
      });
      const inspection = await step('model_extraction', async () => {
        const found = await options.inspect(path, { open: true, signal });
        if (!found.accepted) throw new StepFailed(found.reason);
        return { message: `ONNX model with ${found.facts.num_params} parameters`, value: found };
      });
      return await step('save_model', () =>
        Promise.resolve({
          message: 'the model is ready to be deployed',
          value: { model_info: modelInfoOf(request.model_uri, inspection), local_path: path },
        }),
      );
    } catch (error) {
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
  },
});
