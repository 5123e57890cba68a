import { rejected } from '../../errors.ts';
import type { EndpointFact, Recorded } from '../../events/catalog.ts';
import type { Recovery } from '../../events/endpoint-events.ts';
import type { ModelOrigin } from '../../events/endpoint-values.ts';
import {
  type ClusterId,
  type EndpointId,
  type ModelId,
  type ProjectId,
  UserId,
  type WorkflowId,
} from '../../events/ids.ts';
import type { DeployConfig, ReplicaCounts, Resources, Worker } from '../../events/values.ts';
import { type Aggregate, commandsOn } from '../command.ts';

interface EndpointSpec {
  endpoint_id: EndpointId;
  project_id: ProjectId;
  model_id: ModelId;
  model_source: ModelOrigin;
  name: string;
  /** The user who deployed the endpoint; null where no user did. */
  requested_by: UserId | null;
  /** The desired number of replicas. */
  replicas: number;
  resources_per_replica: Resources;
  deploy_config: DeployConfig;
  /** The only cluster allowed; null where the request named none. */
  wanted_cluster_id: ClusterId | null;
  /** The workflow of the current or last rollout. */
  workflow_id: WorkflowId;
  /** False once nothing of the endpoint is left: the name is free for another endpoint then. */
  holds_name: boolean;
}

/** The cluster that was chosen. */
export interface Placement {
  cluster_id: ClusterId;
  bud_cluster_id: string;
  simulator_id: string;
}

/** The cluster's last report about the endpoint. */
export interface Observed {
  replicas: ReplicaCounts;
  ingress_healthy: boolean | null;
  workers: readonly Worker[];
}

type Unplaced = { status: 'pending' | 'placing' | 'cancelled' | 'deleted'; placement: null; namespace: null };
type Deploying = { status: 'deploying'; placement: Placement; namespace: null };
/** A repair under way, or the last one that failed: there is no further one before `until`. */
export interface Repair {
  workflow_id: WorkflowId;
  attempt: number;
  under_way: boolean;
  until: string;
}
type Serving = {
  placement: Placement;
  namespace: string;
  observed: Observed;
  /** The names of the workers when the endpoint was last as desired. */
  known_workers: readonly string[];
  repair: Repair | null;
};
type Running = Serving & { status: 'running' };
/** `recovery` has the data that older code needs: see `recovery.ts`. */
type Degraded = Serving & { status: 'degraded'; deadline: string; recovery: Recovery | null };
/** Nothing is heard of it. `observed` is what was last seen. */
type Unknown = Serving & { status: 'unknown'; deadline: string };
type Live = Running | Degraded;
/** Deployed, with no replicas. It starts again when it is scaled up. */
type Stopped = Serving & { status: 'stopped' };
type Updating = Serving & { status: 'updating'; previous_replicas: number };
/** With a placement, an earlier version gave up its deletion: something may be left, and the capacity is reserved. */
type Failed = { status: 'failed'; placement: Placement | null; namespace: string | null };
type Deleting = {
  status: 'deleting';
  placement: Placement | null;
  namespace: string | null;
  /** What is being removed: the whole endpoint, or what a deployment that failed or was cancelled may have left. */
  removes: 'endpoint' | 'deployment';
  /** The deployment or scaling that the deletion has ended, until that is over. */
  ends: WorkflowId | null;
  /** As it was before the deletion, while that can be cancelled. */
  before: (EndpointSpec & (Live | Unknown)) | null;
};

/**
 *     pending --> placing --> deploying --> running <--> degraded
 *        '----------.------------'            |  ^----------|
 *                   v                         v             |
 *           failed | cancelled             updating --------'   (scaled, or as before)
 *
 *     any --> deleting --> deleted                   (requested; running again where that is cancelled in time)
 *     deploying --> deleting --> failed | cancelled  (the cluster has not confirmed yet that nothing is left)
 *
 *     running | degraded --> updating --scaled to 0--> stopped --> updating --scaled up--> running
 *     running | degraded --silence--> unknown --report--> running | degraded
 *
 * A repair goes on while the endpoint is degraded, and changes no status by itself: the reports do.
 */
export type EndpointState = EndpointSpec &
  (Unplaced | Deploying | Live | Unknown | Stopped | Updating | Failed | Deleting);

const NOWHERE = { placement: null, namespace: null } as const;

const requested = ({ data, meta }: Extract<Recorded<EndpointFact>, { type: 'EndpointRequested' }>): EndpointState => {
  const { endpoint_id, project_id, model_id, model_source, name, replicas, workflow_id } = data;
  const { resources_per_replica, deploy_config } = data;
  const spec = { endpoint_id, project_id, model_id, model_source, name, replicas, resources_per_replica };
  const asked = { ...spec, deploy_config, wanted_cluster_id: data.cluster_id };
  const requested_by = UserId.safeParse(meta.actor.id).data ?? null;
  return { ...asked, requested_by, workflow_id, holds_name: true, status: 'pending', ...NOWHERE };
};

const observedOf = ({ replicas, ingress_healthy, workers }: Observed): Observed => ({
  replicas,
  ingress_healthy,
  workers,
});

const isServing = (state: EndpointState): state is EndpointSpec & (Live | Unknown | Stopped | Updating) =>
  isSettled(state) || state.status === 'stopped' || state.status === 'updating';

/** Whether the endpoint is deployed and no change of it is under way: reports decide its status then. */
export const isSettled = (state: EndpointState): state is EndpointSpec & (Live | Unknown) =>
  state.status === 'running' || state.status === 'degraded' || state.status === 'unknown';

const namesOf = ({ workers }: Pick<Observed, 'workers'>): string[] => workers.map(({ name }) => name);

/** As desired: what is seen now is what is known. A repair under way ends by itself, one that failed is not due any more. */
const sound = (data: Observed, repair: Repair | null) => ({
  observed: observedOf(data),
  known_workers: namesOf(data),
  repair: repair?.under_way ? repair : null,
});

/** The status of an endpoint that is as desired. */
const scaledTo = (replicas: number) => (replicas === 0 ? 'stopped' : 'running');

type ServingFact = Extract<
  Recorded<EndpointFact>,
  {
    type:
      | `Endpoint${'ReplicasReported' | 'Degraded' | 'RecoveryOverdue' | 'Recovered'}`
      | `Endpoint${'BecameUnknown' | 'ReportOverdue'}`
      | `EndpointRepair${'Requested' | 'ed' | 'Failed'}`
      | `EndpointScal${'ingRequested' | 'ed' | 'ingFailed'}`;
  }
>;

/** Applies a fact about a serving endpoint; in any other state it changes nothing. */
const evolveServing = (state: EndpointState, { type, data }: ServingFact): EndpointState => {
  if (!isServing(state)) return state;
  switch (type) {
    case 'EndpointReplicasReported': {
      const known_workers = state.status === 'running' ? namesOf(data) : state.known_workers;
      return { ...state, observed: observedOf(data), known_workers };
    }
    case 'EndpointBecameUnknown':
      return isSettled(state) ? { ...state, status: 'unknown', deadline: data.deadline } : state;
    case 'EndpointReportOverdue':
      return state.status === 'unknown' ? { ...state, deadline: data.deadline } : state;
    case 'EndpointRepairRequested': {
      const { workflow_id, attempt, deadline: until } = data;
      return { ...state, repair: { workflow_id, attempt, under_way: true, until } };
    }
    case 'EndpointRepaired':
      return repaired(state, data);
    case 'EndpointRepairFailed':
      return state.repair ? { ...state, repair: { ...state.repair, under_way: false, until: data.retry_at } } : state;
    case 'EndpointDegraded': {
      const { deadline, recovery = null } = data;
      return { ...state, status: 'degraded', observed: observedOf(data), deadline, recovery };
    }
    case 'EndpointRecoveryOverdue': {
      const { deadline, recovery = null } = data;
      return state.status === 'degraded' ? { ...state, deadline, recovery } : state;
    }
    case 'EndpointRecovered':
    case 'EndpointScaled':
      return { ...state, status: scaledTo(state.replicas), ...sound(data, state.repair) };
    case 'EndpointScalingRequested': {
      const { workflow_id, replicas, previous_replicas } = data;
      return { ...state, status: 'updating', workflow_id, replicas, previous_replicas, repair: null };
    }
    case 'EndpointScalingFailed': {
      const observed = data.observed ? observedOf(data.observed) : state.observed;
      return { ...state, status: scaledTo(data.replicas), replicas: data.replicas, observed };
    }
  }
};

type RepairedData = Extract<ServingFact, { type: 'EndpointRepaired' }>['data'];

const repaired = (state: EndpointSpec & (Live | Unknown | Stopped | Updating), data: RepairedData): EndpointState => {
  const { deployment } = data;
  const moved = deployment && {
    namespace: deployment.namespace,
    placement: { ...state.placement, bud_cluster_id: deployment.bud_cluster_id },
  };
  return { ...state, ...moved, observed: observedOf(data), repair: null };
};

const evolve = (state: EndpointState | null, event: Recorded<EndpointFact>): EndpointState | null => {
  if (event.type === 'EndpointRequested') return requested(event);
  if (!state) return null;
  switch (event.type) {
    case 'EndpointPlacementStarted':
      return { ...state, status: 'placing', ...NOWHERE };
    case 'EndpointPlaced': {
      const { cluster_id, bud_cluster_id, simulator_id } = event.data;
      return {
        ...state,
        status: 'deploying',
        placement: { cluster_id, bud_cluster_id, simulator_id },
        namespace: null,
      };
    }
    case 'EndpointDeployed': {
      const { placement } = state;
      if (!placement) return state;
      return {
        ...state,
        status: 'running',
        placement,
        namespace: event.data.namespace,
        ...sound(event.data, null),
      };
    }
    case 'EndpointReplicasReported':
    case 'EndpointDegraded':
    case 'EndpointRecoveryOverdue':
    case 'EndpointRecovered':
    case 'EndpointBecameUnknown':
    case 'EndpointReportOverdue':
    case 'EndpointRepairRequested':
    case 'EndpointRepaired':
    case 'EndpointRepairFailed':
    case 'EndpointScalingRequested':
    case 'EndpointScaled':
    case 'EndpointScalingFailed':
      return evolveServing(state, event);
    case 'EndpointFailed':
      return { ...state, status: 'failed', holds_name: false, ...NOWHERE };
    case 'EndpointCancelled':
      return { ...state, status: 'cancelled', holds_name: false, ...NOWHERE };
    case 'EndpointDeletionRequested': {
      const { workflow_id, ends = null } = event.data;
      const { placement, namespace } = state;
      const before = isSettled(state) ? { ...state, repair: null } : null;
      return { ...state, status: 'deleting', workflow_id, placement, namespace, removes: 'endpoint', ends, before };
    }
    case 'EndpointChangeEnded':
      return state.status === 'deleting' ? { ...state, ends: null } : state;
    case 'EndpointDeletionCancelled':
      return state.status === 'deleting' && state.before
        ? { ...state.before, status: scaledTo(state.before.replicas) }
        : state;
    case 'EndpointCleanupPending': {
      if (!isBeingDeployed(state)) return state;
      const { placement, namespace } = state;
      return { ...state, status: 'deleting', placement, namespace, removes: 'deployment', ends: null, before: null };
    }
    case 'EndpointDeletionFailed':
      return { ...state, status: 'failed' };
    case 'EndpointDeleted':
      return { ...state, status: 'deleted', holds_name: false, ...NOWHERE };
  }
};

export const endpoint: Aggregate<EndpointState, EndpointFact> = {
  area: 'endpoint',
  evolve,
  isGone: (state) => state.status === 'deleted',
  nameOf: (state) => (state.holds_name ? { kind: 'endpoint', name: state.name } : null),
};

export const { change: endpointCommand, create: endpointCreation } = commandsOn(endpoint);

/** Whether the endpoint is running or degraded, without a rollout in progress. */
export const isLive = (state: EndpointState): state is EndpointSpec & Live =>
  state.status === 'running' || state.status === 'degraded';

/** Whether the endpoint is on its way to running for the first time. */
export const isBeingDeployed = ({ status }: EndpointState): boolean =>
  status === 'pending' || status === 'placing' || status === 'deploying';

/** Throws `Rejected` `endpoint-not-running` where the endpoint is neither live nor stopped. */
export const assertScalable: (state: EndpointState) => asserts state is EndpointSpec & (Live | Stopped) = (state) => {
  if (isLive(state) || state.status === 'stopped') return;
  throw rejected('endpoint-not-running', `The endpoint is ${state.status}, not running.`, {
    hint: 'Try again when the endpoint runs.',
  });
};
