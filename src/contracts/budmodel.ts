import { z } from 'zod';
import { asynchronousFields } from './asynchronous.ts';

/** Dapr app id of the model service. */
export const BUDMODEL = 'budmodel';

/** `POST model-info/extract` */
export const ExtractModelRequest = z.strictObject({
  model_name: z.string().min(1),
  /** A repository id, an URL, or for `disk` a file path or file: URI. */
  model_uri: z.string().min(1),
  provider_type: z.enum(['hugging_face', 'url', 'disk']),
  hf_token: z.string().nullable().optional(),
  ...asynchronousFields,
});
export type ExtractModelRequest = z.infer<typeof ExtractModelRequest>;

/** `POST model-info/scan` */
export const ScanModelRequest = z.strictObject({ model_path: z.string().min(1), ...asynchronousFields });
export type ScanModelRequest = z.infer<typeof ScanModelRequest>;

/** `POST model-info/cloud-model/extract` */
export const ExtractCloudModelRequest = z.strictObject({ model_uri: z.string().min(1) });

/** `DELETE model-info/local-models?path` */
export const DeleteModelFilesRequest = z.strictObject({ path: z.string().min(1) });

/** One input or output tensor of a model. In `shape`, -1 means a dynamic dimension; null: the rank is unknown. */
export const Tensor = z.looseObject({
  name: z.string(),
  /** Open Inference Protocol name (`FP32`, `INT64`, `BYTES`); null where the model does not say. */
  datatype: z.string().nullish(),
  shape: z.array(z.number()).nullish(),
});

/**
 * The architecture of a model. The local service reads `inputs`, `outputs`, `opset` and `producer` from the artefact
 * itself.
 */
const Architecture = z.looseObject({
  num_params: z.number().nullish(),
  inputs: z.array(Tensor).nullish(),
  outputs: z.array(Tensor).nullish(),
  /** Version by operator domain; the default domain is `ai.onnx`. */
  opset: z.record(z.string(), z.number()).nullish(),
  producer: z.looseObject({ name: z.string().nullish(), version: z.string().nullish() }).nullish(),
});

/** A licence as text or as an object. */
const license = z.union([z.string(), z.looseObject({})]).nullish();
const names = z.union([z.array(z.unknown()), z.string()]).nullish();

/** The metadata of a model; null where the service does not know it. */
export const ModelInfo = z.looseObject({
  author: z.string().nullish(),
  description: z.string().nullish(),
  uri: z.string().nullish(),
  modality: z.union([z.string(), z.array(z.string()), z.looseObject({})]).nullish(),
  tags: names,
  tasks: names,
  license,
  architecture: Architecture.nullish(),
  /** What one replica takes: `{ cpu_millis, memory_mib }`. Only the local service states it. */
  replica_resources: z.unknown().optional(),
});
export type ModelInfo = z.infer<typeof ModelInfo>;

/** The answer of `cloud-model/extract`: under `model_info`, or bare; parsed to `{ model_info }`. */
export const CloudModelAnswer = z.union([
  z.looseObject({ model_info: ModelInfo }),
  ModelInfo.transform((model_info) => ({ model_info })),
]);

export const DeleteModelFilesAnswer = z.looseObject({ message: z.string().nullish() });
