import * as contract from './budsim.ts';
import { call } from './call.ts';
import { accepting, reading, whole } from './call-kinds.ts';

/** The operations of the simulator that BudApp uses, by name. */
export const budsimCalls = {
  'simulator.run': call({
    ...accepting,
    app_id: contract.BUDSIM,
    method: 'POST',
    path: () => 'simulator/run',
    input: contract.RunSimulationRequest,
    body: whole,
  }),
  'simulator.recommendations': call({
    ...reading,
    app_id: contract.BUDSIM,
    method: 'GET',
    path: () => 'simulator/recommendations',
    input: contract.RecommendationsRequest,
    query: whole,
    answer: contract.RecommendationsAnswer,
  }),
} as const;
