/** What the metadata of a served model says of an input. */
export interface SampledInput {
  name: string;
  datatype: string;
  shape: readonly number[];
  parameters?: { any_rank?: boolean | undefined } | undefined;
}

/** Sizes for what the model leaves open; it may need a certain one. */
interface Attempt {
  /** Of each free dimension after the first, which counts the batch: 1. */
  free: number;
  /** Of an input of any rank. */
  any_rank: readonly number[];
}

export const ATTEMPTS: readonly Attempt[] = [
  { free: 1, any_rank: [1] },
  { free: 8, any_rank: [1, 8] },
  { free: 32, any_rank: [1, 32] },
  { free: 64, any_rank: [1, 3, 64, 64] },
  { free: 224, any_rank: [1, 3, 224, 224] },
];

const MAX_ELEMENTS = 2_000_000;

const elementOf = (datatype: string, value: 0 | 1) => {
  if (datatype === 'BYTES') return value === 0 ? '' : '1';
  return datatype === 'BOOL' ? value === 1 : value;
};

/** Inputs that are all `value`, in the JSON form of the protocol. Null where they would be too large to try. */
export const sampleTensors = (inputs: readonly SampledInput[], attempt: Attempt, value: 0 | 1 = 0) => {
  const sized = inputs.map(({ name, datatype, shape, parameters }) => {
    const open = parameters?.any_rank === true ? attempt.any_rank : shape;
    const sizes = open.map((size, axis) => (size >= 0 ? size : axis === 0 ? 1 : attempt.free));
    return { name, datatype, shape: sizes, elements: sizes.reduce((product, size) => product * size, 1) };
  });
  if (sized.reduce((sum, { elements }) => sum + elements, 0) > MAX_ELEMENTS) return null;
  return sized.map(({ elements, ...tensor }) => ({
    ...tensor,
    data: new Array(elements).fill(elementOf(tensor.datatype, value)),
  }));
};
export type SampleTensors = NonNullable<ReturnType<typeof sampleTensors>>;
