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

/** Of the runs in CI, which must not fail by the luck of the day: what another seed finds is for whoever looks for it. */
const CI_SEED = 20_261_129;

/**
 * Random runs, each from the prepared state to rest: the same ones each time, or new ones with `MODEL_RUNS`, which says how
 * many. A failure prints its seed and the shortest run that fails; `MODEL_SEED` repeats it.
 */
export const itHoldsInRandomRuns = (runs: number): void => {
  const wanted = numberIn('MODEL_RUNS');
  const numRuns = wanted ?? runs;
  const seed = numberIn('MODEL_SEED') ?? (wanted === undefined ? CI_SEED : undefined);
  const actions = fc.array(anAction, { minLength: 4, maxLength: 60, size: 'max' });
  it(`holds what it claims in ${numRuns} random runs`, () =>
    fc.assert(fc.asyncProperty(actions, check), { numRuns, ...(seed === undefined ? {} : { seed }) }));
};
