import type { ModelInfo } from '../../contracts/budmodel.ts';
import { type ModelMetadata, ReplicaResources } from '../../events/values.ts';

const textOf = (value: unknown): string[] => {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null || !('name' in value)) return [];
  return typeof value.name === 'string' ? [value.name] : [];
};

/** The names in a list, one text, or objects with a `name`. Anything else that a service sends is ignored. */
const namesOf = (value: unknown): string[] => {
  if (Array.isArray(value)) return value.flatMap(textOf);
  return textOf(value);
};

/** A modality can also be an object whose true members are the modalities, such as `{ text: true }`. */
const modalityOf = (value: ModelInfo['modality']): string[] => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return namesOf(value);
  return Object.entries(value).flatMap(([name, on]) => (on ? [name] : []));
};

const countOf = (value: number | null | undefined): number | null =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;

type Architecture = NonNullable<ModelInfo['architecture']>;

/** Leaves out a tensor without type or shape, because a caller needs both. */
const tensorsOf = (tensors: Architecture['inputs']): ModelMetadata['inputs'] =>
  (tensors ?? []).flatMap(({ name, datatype, shape }) => (datatype && shape ? [{ name, datatype, shape }] : []));

const opsetOf = (opset: Architecture['opset']): Record<string, number> =>
  Object.fromEntries(Object.entries(opset ?? {}).filter(([, version]) => Number.isInteger(version)));

const producerOf = (producer: Architecture['producer']): string | null =>
  producer?.name ? [producer.name, producer.version].filter(Boolean).join(' ') : null;

const blankToNull = (text: string | null | undefined): string | null => text?.trim() || null;

/** A service that names no format but an operator set has read an ONNX model. */
const formatOf = ({ format, architecture }: ModelInfo): string | null => {
  const named = [format, architecture?.format].flatMap((value) => (typeof value === 'string' && value.trim()) || []);
  return named[0] ?? (architecture?.opset ? 'onnx' : null);
};

/** The metadata that a model service reports. Null or empty: the service does not report it. */
export const toModelMetadata = (info: ModelInfo): ModelMetadata => {
  const { architecture } = info;
  const replica_resources = ReplicaResources.safeParse(info.replica_resources).data;
  return {
    format: formatOf(info),
    author: blankToNull(info.author),
    description: blankToNull(info.description),
    license: textOf(info.license)[0] ?? null,
    uri: blankToNull(info.uri),
    modality: modalityOf(info.modality),
    tasks: namesOf(info.tasks),
    tags: namesOf(info.tags),
    num_params: countOf(architecture?.num_params),
    producer: producerOf(architecture?.producer),
    opset: opsetOf(architecture?.opset),
    inputs: tensorsOf(architecture?.inputs),
    outputs: tensorsOf(architecture?.outputs),
    ...(replica_resources && { replica_resources }),
  };
};
