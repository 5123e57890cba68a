import * as contract from './budsim.ts';
import { defineCall } from './call.ts';
import { accepting, reading, whole } from './call-kinds.ts';

/** The operations of the simulator that BudApp uses, by name. */
export const budsimCalls = {
  'simulator.run': defineCall({
    ...accepting,
    app_id: contract.BUDSIM,
    method: 'POST',
    path: () => 'simulator/run',
    input: contract.RunSimulationRequest,
    body: whole,
  }),
  'simulator.recommendations': defineCall({
    ...reading,
    app_id: contract.BUDSIM,
    method: 'GET',
    path: () => 'simulator/recommendations',
    input: contract.RecommendationsRequest,
    query: whole,
    answer: contract.RecommendationsAnswer,
  }),
} as const;
