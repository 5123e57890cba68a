import fc from 'fast-check';
import { type Action, anAction } from './actions.ts';
import { CLAIMS } from './invariants.ts';
import { runActions } from './run.ts';

const check = async (actions: readonly Action[]): Promise<void> => {
  const { violations, trace } = await runActions(actions);
  if (violations.length === 0) return;
  const lines = violations.map(({ claim, text }) => `${CLAIMS[claim]}: ${text}`);
  throw new Error([...lines, 'after', ...trace.map((line) => `  ${line}`)].join('\n'));
};

const numberIn = (name: string): number | undefined => {
  const text = process.env[name];
  return text === undefined ? undefined : Number(text);
};

/**
 * Random runs, each from the prepared state to rest. A failure prints its seed and the shortest run that fails:
 * `MODEL_SEED` repeats it, and `MODEL_RUNS` asks for more runs.
 */
export const itHoldsInRandomRuns = (runs: number): void => {
  const numRuns = numberIn('MODEL_RUNS') ?? runs;
  const seed = numberIn('MODEL_SEED');
  const actions = fc.array(anAction, { minLength: 4, maxLength: 60, size: 'max' });
  it(`holds what it claims in ${numRuns} random runs`, () =>
    fc.assert(fc.asyncProperty(actions, check), { numRuns, ...(seed === undefined ? {} : { seed }) }));
};
