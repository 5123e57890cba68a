import { mkdir, rm } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import type { Logger } from 'pino';
import {
  DeleteModelFilesRequest,
  ExtractCloudModelRequest,
  ExtractModelRequest,
  type ModelInfo,
  ScanModelRequest,
} from '../../contracts/budmodel.ts';
import type { Engines } from '../engine/engines.ts';
import { type ArtefactStore, createArtefactCache } from '../service/artefact-cache.ts';
import { type Callback, createCallbackOutbox } from '../service/callback.ts';
import { type Listen, type LocalService, parse, readJson, ServiceRefusal, serveLoopback } from '../service/loopback.ts';
import { openRequestWorkflows } from '../service/request-workflows.ts';
import { extractModel } from './extract-model.ts';
import { scanModel } from './scan-model.ts';

const SENDER = { source: 'budmodel', source_topic: 'budModelMessages' };

/** The facts that follow from the reference itself, since the stand-in does not use the network. */
const cloudModelInfo = (uri: string): ModelInfo => ({
  author: uri.includes('/') ? (uri.split('/')[0] ?? null) : null,
  description: 'The local model service could not look this model up: it knows only its reference.',
  uri,
  modality: null,
  tags: null,
  tasks: null,
  license: null,
  architecture: null,
});

/** The directory of a model of this service. Throws `ServiceRefusal` for any other path. */
const modelDirOf = (modelsDir: string, path: string): string => {
  const below = relative(modelsDir, resolve(modelsDir, path));
  const [first] = below.split(sep);
  if (first === undefined || first === '' || first === '..' || dirname(join(modelsDir, first)) !== modelsDir) {
    throw new ServiceRefusal(403, 'that is not a file of the model store');
  }
  return join(modelsDir, first);
};

/** The embedded stand-in for budmodel: reads model files on this machine and in our object storage. Keeps models and its state in `data_dir`. */
export const createLocalModelService = async (options: {
  data_dir: string;
  callback: Callback;
  log: Logger;
  engines: Engines;
  /** Where `s3://` references lead; without it they are refused. */
  artefacts?: ArtefactStore | undefined;
  listen?: Listen | undefined;
}): Promise<LocalService> => {
  const { callback, log, listen, engines } = options;
  const data_dir = resolve(options.data_dir);
  const models_dir = join(data_dir, 'models');
  await mkdir(models_dir, { recursive: true });
  const fetchArtefact = createArtefactCache({ dir: join(data_dir, 'artefacts'), store: options.artefacts });
  const outbox = await createCallbackOutbox({ dir: join(data_dir, 'outbox'), callback, log });
  const extraction = await openRequestWorkflows({
    kind: extractModel({ models_dir, engines, fetchArtefact }),
    sender: SENDER,
    dir: join(data_dir, 'extractions'),
    outbox,
    log,
  });
  const scanning = await openRequestWorkflows({
    kind: scanModel({ engines, fetchArtefact }),
    sender: SENDER,
    dir: join(data_dir, 'scans'),
    outbox,
    log,
  });
  const server = await serveLoopback({
    log,
    listen,
    mount(router) {
      router.post('/model-info/extract', async (ctx) => {
        // The token is not used, so it is not stored either.
        const { hf_token: _unused, ...request } = await readJson(ctx, ExtractModelRequest);
        ctx.body = await extraction.start(request);
      });
      router.post('/model-info/scan', async (ctx) => {
        ctx.body = await scanning.start(await readJson(ctx, ScanModelRequest));
      });
      router.post('/model-info/cloud-model/extract', async (ctx) => {
        const { model_uri } = await readJson(ctx, ExtractCloudModelRequest);
        ctx.body = { model_info: cloudModelInfo(model_uri) };
      });
      router.delete('/model-info/local-models', async (ctx) => {
        const { path } = parse(DeleteModelFilesRequest, { ...ctx.query });
        await rm(modelDirOf(models_dir, path), { recursive: true, force: true });
        ctx.body = { message: 'deleted' };
      });
    },
  });
  return {
    url: server.url,
    async close() {
      await server.close();
      await Promise.all([extraction.close(), scanning.close()]);
      await outbox.close();
    },
  };
};
