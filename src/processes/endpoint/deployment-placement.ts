import { reserveCapacity } from '../../commands/cluster/internal/reserve-capacity.ts';
import { placeEndpoint } from '../../commands/endpoint/internal/place-endpoint.ts';
import { completeWorkflowStep } from '../../commands/workflow/internal/complete-workflow-step.ts';
import { startWorkflowStep } from '../../commands/workflow/internal/start-workflow-step.ts';
import type { Recommendation } from '../../contracts/budsim.ts';
import { parseResult } from '../../contracts/notification.ts';
import type { Recorded } from '../../events/catalog.ts';
import { resourcesText, timesResources } from '../../events/resources.ts';
import type { PlacementCandidate } from '../../events/values.ts';
import { abortOf, failed } from '../abort.ts';
import { ask, ClustersFound, cancelTimer, type Reaction } from '../process.ts';
import type { DeploymentState, In, Option } from './deployment-state.ts';
import { giveUpBeforeDeploying } from './deployment-undo.ts';

type Reacted = Reaction<DeploymentState>;
type Reserved = Extract<Recorded, { type: 'CapacityReserved' }>['data'];

/** The name of the timer for finding a cluster. */
export const PLACEMENT = 'placement';

/** Ends the search for a cluster where the event aborts it. Nothing runs on a cluster yet. */
export const giveUpPlacing = (
  state: In<'simulating' | 'looking-up' | 'reserving' | 'placing'>,
  event: Recorded,
): Reacted | null => {
  // Once capacity is reserved, a placement timer that fired at the same moment no longer matters.
  const isLate = state.phase !== 'placing' && event.type === 'WorkflowTimerFired' && event.data.timer === PLACEMENT;
  const abort = isLate ? failed('placement-timed-out', 'No cluster was found in time.') : abortOf(event);
  return abort ? giveUpBeforeDeploying(state, abort) : null;
};

/** The simulator's reasons for a cluster; where it gives none, its metrics. */
const reasonsOf = ({ reasons, metrics }: Recommendation): string[] => {
  if (reasons && reasons.length > 0) return reasons;
  return Object.entries(metrics).flatMap(([name, value]) =>
    typeof value === 'number' || typeof value === 'string' ? [`${name}: ${value}`] : [],
  );
};

const toCandidates = (recommendations: readonly Recommendation[]): PlacementCandidate[] =>
  recommendations.map((recommendation, index) => ({
    bud_cluster_id: recommendation.cluster_id,
    rank: index + 1,
    reasons: reasonsOf(recommendation),
  }));

/** Where all that was tried is full, the code says so; otherwise there was no cluster to try, or it was not available. */
const noCluster = (message: string, candidates: readonly PlacementCandidate[] = []) => {
  const codes = candidates.flatMap(({ passed_over }) => passed_over?.code ?? []);
  const isFull = codes.length > 0 && codes.every((code) => code === 'cluster-full');
  return failed(isFull ? 'cluster-full' : 'no-capacity', message);
};

/** The candidates with a change to the one on this cluster. */
const withCandidate = (
  { candidates, option }: Pick<In<'reserving'>, 'candidates' | 'option'>,
  change: (candidate: PlacementCandidate) => Partial<PlacementCandidate>,
): PlacementCandidate[] =>
  candidates.map((candidate) =>
    candidate.bud_cluster_id === option.bud_cluster_id ? { ...candidate, ...change(candidate) } : candidate,
  );

export const reactSimulating = (state: In<'simulating'>, event: Recorded): Reacted | null => {
  if (event.type === 'WorkflowCallAnswered' && event.data.call === 'simulator.run') {
    return lookUp({ ...state, simulator_id: event.data.service_workflow_id ?? state.simulator_id });
  }
  if (event.type !== 'WorkflowResultReceived' || event.data.result_type !== 'get_cluster_recommendations') return null;
  const result = parseResult('get_cluster_recommendations', event.data.result);
  if (!result)
    return giveUpBeforeDeploying(state, failed('simulation-failed', 'The simulator could not rank clusters.'));
  const only = state.wanted.bud_cluster_id;
  const allowed = result.recommendations.filter(({ cluster_id }) => only === null || cluster_id === only);
  if (allowed.length === 0) return giveUpBeforeDeploying(state, noCluster('The simulator found no cluster that fits.'));
  const simulator_id = result.workflow_id ?? state.simulator_id;
  return lookUp({ ...state, simulator_id, candidates: toCandidates(allowed) });
};

/** Looks the clusters up once both the simulator's workflow id and its candidates are known. */
const lookUp = (state: In<'simulating'>): Reacted => {
  const { wanted, simulator_id, candidates } = state;
  if (simulator_id === null || candidates === null) return { state, intents: [] };
  const { workflow_id } = wanted;
  const message = `${candidates.length} ${candidates.length === 1 ? 'cluster fits' : 'clusters fit'}`;
  const bud_cluster_ids = candidates.map(({ bud_cluster_id }) => bud_cluster_id);
  // The placement timer fires earlier and abandons the look-up.
  const give_up_at = wanted.deadline;
  return {
    state: { phase: 'looking-up', wanted, simulator_id, candidates },
    intents: [
      ask(startWorkflowStep, { workflow_id, step: 'reserve_capacity', message, deadline: wanted.deadline }),
      { kind: 'lookup-clusters', bud_cluster_ids, give_up_at },
    ],
  };
};

export const reactLookingUp = (state: In<'looking-up'>, event: Recorded): Reacted | null => {
  if (event.type !== 'WorkflowCallAnswered' || event.data.call !== 'lookup-clusters') return null;
  const found = ClustersFound.parse(event.data.answer);
  const ranked = state.candidates.flatMap(
    ({ bud_cluster_id }) => found.find((cluster) => cluster.bud_cluster_id === bud_cluster_id) ?? [],
  );
  return reserve(state, ranked, []);
};

/** Reserves capacity on the first of `options`. */
const reserve = (
  { wanted, simulator_id, candidates }: In<'looking-up' | 'reserving'>,
  options: readonly Option[],
  refusals: string[],
): Reacted => {
  const [option, ...others] = options;
  if (!option) {
    const tried =
      refusals.length > 0 ? `No cluster accepted the endpoint. ${refusals.join(' ')}` : 'None of your clusters fits.';
    const state = { phase: 'looking-up', wanted, simulator_id, candidates } as const;
    return giveUpBeforeDeploying(state, noCluster(tried, candidates));
  }
  const { endpoint_id, workflow_id, replicas } = wanted;
  const resources = timesResources(wanted.resources_per_replica, replicas);
  return {
    state: { phase: 'reserving', wanted, simulator_id, candidates, option, others, refusals },
    intents: [ask(reserveCapacity, { cluster_id: option.cluster_id, endpoint_id, workflow_id, replicas, resources })],
  };
};

const reservedText = ({ resources, free }: Pick<Reserved, 'resources' | 'free'>): string[] =>
  free ? [`${resourcesText(resources)} reserved of ${resourcesText(free)} free`] : [];

export const reactReserving = (state: In<'reserving'>, event: Recorded): Reacted | null => {
  const { wanted, option } = state;
  if (event.type === 'WorkflowCommandRefused' && event.data.command === reserveCapacity.type) {
    const passed_over = event.data.reason;
    const candidates = withCandidate(state, () => ({ passed_over }));
    return reserve({ ...state, candidates }, state.others, [
      ...state.refusals,
      `${option.name}: ${passed_over.message}`,
    ]);
  }
  if (event.type !== 'CapacityReserved' || event.data.cluster_id !== option.cluster_id) return null;
  const { workflow_id, endpoint_id, project_id, model_id, deadline } = wanted;
  const { simulator_id } = state;
  const candidates = withCandidate(state, ({ reasons }) => ({ reasons: [...reasons, ...reservedText(event.data)] }));
  const message = `Reserved on ${option.name}`;
  return {
    state: { phase: 'placing', wanted, simulator_id, candidates, option },
    intents: [
      cancelTimer(PLACEMENT),
      ask(completeWorkflowStep, { workflow_id, step: 'reserve_capacity', message }),
      ask(placeEndpoint, {
        endpoint_id,
        workflow_id,
        project_id,
        model_id,
        cluster_id: option.cluster_id,
        simulator_id,
        candidates,
        deadline,
      }),
    ],
  };
};
