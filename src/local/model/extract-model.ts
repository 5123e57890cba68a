import { copyFile, link, mkdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ExtractModelRequest, type ModelInfo } from '../../contracts/budmodel.ts';
import type { Engines } from '../engine/engines.ts';
import type { FetchArtefact } from '../service/artefact-cache.ts';
import { findRegularFile } from '../service/disk-path.ts';
import type { RequestKind } from '../service/request-workflows.ts';
import { StepFailed } from '../service/step-failed.ts';
import { inspectArtefact } from './inspect-artefact.ts';

type Inspected = Awaited<ReturnType<typeof inspectArtefact>>;

const modelInfoOf = (
  uri: string,
  { kind, facts, file_size_bytes, sha256, replica_resources }: Inspected,
): ModelInfo => ({
  author: facts.author,
  description: facts.description,
  uri,
  modality: null,
  tags: null,
  tasks: null,
  license: facts.license,
  replica_resources,
  architecture: { format: kind.format, ...facts.architecture, file_size_bytes, sha256 },
});

const summaryOf = ({ kind, facts: { architecture } }: Inspected): string =>
  typeof architecture.num_params === 'number'
    ? `${kind.title} model with ${architecture.num_params} parameters`
    : `${kind.title} model`;

/** Links the file where the file system allows it, else copies it, since models are large. */
const obtain = async (from: string, to: string): Promise<void> => {
  await rm(to, { force: true });
  await link(from, to).catch(() => copyFile(from, to));
};

/** `POST model-info/extract` for files on this machine and in our object storage: what the artefact says of itself, and nothing else. */
export const extractModel = (options: {
  models_dir: string;
  engines: Engines;
  fetchArtefact: FetchArtefact;
}): RequestKind<typeof ExtractModelRequest> => ({
  type: 'perform_model_extraction',
  request: ExtractModelRequest,
  planOf(id, request) {
    const dir = join(options.models_dir, id);
    return {
      steps: [
        { id: 'validation', title: 'Validating the model', description: 'The reference names a file that can be read' },
        { id: 'model_download', title: 'Fetching the model', description: 'The file is taken into the model store' },
        { id: 'model_extraction', title: 'Reading the model', description: "The artefact's own metadata is read" },
        { id: 'save_model', title: 'Saving the model', description: 'The model is ready to be deployed' },
      ],
      failure_result: null,
      undo: () => rm(dir, { recursive: true, force: true }),
      async perform({ signal, step }) {
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
        const inspected = await step('model_extraction', async () => {
          const found = await inspectArtefact(options.engines, path, { open: true, signal });
          return { message: summaryOf(found), value: found };
        });
        return step('save_model', async () => ({
          message: 'the model is ready to be deployed',
          value: { model_info: modelInfoOf(request.model_uri, inspected), local_path: path },
        }));
      },
    };
  },
});
