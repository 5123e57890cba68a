import { failureText } from '../../../../failures/failure-text.ts';
import type { ServedModel } from '../model.ts';
import { BadTensors } from '../tensors/infer-request.ts';
import { ATTEMPTS, type SampleTensors, sampleTensors } from '../tensors/sample-tensors.ts';

/** No further attempt is begun after this time. */
const LONGEST_MS = 10_000;

/** Operators by which a model may rightly not run on some values. */
const VALUES_DECIDE = new Set(
  'NonZero NonMaxSuppression Unique Compress Range Loop If Scan SequenceAt SplitToSequence'.split(' '),
);

const infer = async (model: ServedModel, inputs: SampleTensors): Promise<string | null> => {
  try {
    await model.infer({ id: undefined, inputs, outputs: undefined, binary_output: true });
    return null;
  } catch (error) {
    if (!(error instanceof BadTensors)) throw error;
    return failureText(error);
  }
};

const hasGivenSizes = ({ metadata }: ServedModel): boolean =>
  metadata.inputs.every(({ shape, parameters }) => parameters === undefined && shape.every((size) => size >= 0));

/**
 * True where no other input can be better than the sampled ones: all sizes are given, and no value decides. Whole numbers
 * may be indices or sizes.
 */
const isConclusive = (model: ServedModel, operators: readonly string[]): boolean =>
  hasGivenSizes(model) &&
  model.metadata.inputs.every(({ datatype }) => datatype.startsWith('FP')) &&
  operators.every((operator) => !VALUES_DECIDE.has(operator) && !operator.includes('.'));

/**
 * Runs the model on zeros, and on ones where it does not run on those. Null: it runs, or needs inputs that nobody can
 * guess. Else why it cannot be served.
 */
export const tryModel = async (model: ServedModel, operators: readonly string[]): Promise<string | null> => {
  const until = performance.now() + LONGEST_MS;
  const attempts = hasGivenSizes(model) ? ATTEMPTS.slice(0, 1) : ATTEMPTS;
  let failure: string | null = null;
  for (const value of [0, 1] as const) {
    for (const attempt of attempts) {
      const inputs = sampleTensors(model.metadata.inputs, attempt, value);
      if (inputs === null || performance.now() > until) return null;
      failure = await infer(model, inputs);
      if (failure === null) return null;
    }
  }
  return failure !== null && isConclusive(model, operators) ? failure : null;
};
