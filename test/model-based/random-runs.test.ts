import { itHoldsInRandomRuns } from './random-runs.ts';

describe('BudApp in memory, whatever happens', () => {
  itHoldsInRandomRuns(300);
});
