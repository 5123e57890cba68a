import { itHoldsInRandomRuns } from './random-runs.ts';

describe('BudApp in memory, whatever happens, for longer', () => {
  itHoldsInRandomRuns(3000);
});
