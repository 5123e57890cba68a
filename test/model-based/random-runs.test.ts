import { itHoldsInRandomRuns, itIsKnownNotToHold } from './random-runs.ts';

describe('BudApp in memory, whatever happens', () => {
  itHoldsInRandomRuns(400);
  itIsKnownNotToHold();
});
