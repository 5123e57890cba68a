import type { z } from 'zod';
import { rejected } from '../../errors.ts';
import { type Capacity, capacityUnder, type Load, NO_LOAD, replaceHolding, roomFor } from '../../events/capacity.ts';
import type { ClusterFact, Recorded } from '../../events/catalog.ts';
import type { ClusterRecovery, ClusterType } from '../../events/cluster-events.ts';
import { type ClusterId, type EndpointId, UserId, type WorkflowId } from '../../events/ids.ts';
import { fitsInto, resourcesText, timesResources } from '../../events/resources.ts';
import type { Sealed } from '../../events/sealed.ts';
import type { ClusterNode, Resources } from '../../events/values.ts';
import { type Aggregate, commandsOn } from '../command.ts';
import {
  findReservation,
  NO_RESERVATIONS,
  type Reservations,
  withoutReservation,
  withReservation,
} from './reservations.ts';

/** A registration anew that is under way, or the last one that failed: there is no further one before `until`. */
interface Reregistration {
  workflow_id: WorkflowId;
  attempt: number;
  under_way: boolean;
  until: string;
}

interface Identity {
  cluster_id: ClusterId;
  name: string;
  /** The user who registered the cluster; null where no user did. */
  requested_by: UserId | null;
  cluster_type: z.output<typeof ClusterType>;
  ingress_url: string;
  /** The kubeconfig. */
  configuration: Sealed;
  reregistration: Reregistration | null;
  /** The workflow of the registration or, later, of the deletion. */
  workflow_id: WorkflowId;
  nodes: readonly ClusterNode[];
  reservations: Reservations;
  /** All reservations together. */
  load: Load;
  /** False once the registration has failed: the name is free for another cluster then. */
  holds_name: boolean;
}

type Registered = { bud_cluster_id: string } & (
  | { status: 'available' }
  /** `recovery` has the data that older code needs: see `recovery.ts`. */
  | { status: 'unavailable'; deadline: string; recovery: ClusterRecovery | null }
);
/** `bud_cluster_id` is null where the cluster service never registered the cluster. */
type Other = { status: 'registering' | 'error' | 'deleted'; bud_cluster_id: string | null };
type Deleting = {
  status: 'deleting';
  bud_cluster_id: string | null;
  /** What is being removed: the cluster, or what a registration that failed or was cancelled may have left. */
  removes: 'cluster' | 'registration';
  /** The registration that the deletion has ended, until that is over. */
  ends: WorkflowId | null;
  /** Its status before, to which it returns where the deletion is cancelled; null where it cannot return. */
  before: Registered['status'] | null;
};

/**
 *     registering --> available <--> unavailable
 *          |              '-----.--------'
 *          v                    v
 *        error ----------> deleting --> deleted     (from registering, too; available again where cancelled in time)
 *          ^--------------------'                   (nothing is left of a registration that failed)
 *
 * An unavailable cluster that the cluster service has forgotten is registered there anew, and available again with that.
 */
export type ClusterState = Identity & (Registered | Other | Deleting);

const requested = ({
  data,
  meta,
}: Extract<Recorded<ClusterFact>, { type: 'ClusterRegistrationRequested' }>): ClusterState => ({
  requested_by: UserId.safeParse(meta.actor.id).data ?? null,
  cluster_id: data.cluster_id,
  name: data.name,
  cluster_type: data.cluster_type,
  ingress_url: data.ingress_url,
  configuration: data.configuration,
  reregistration: null,
  workflow_id: data.workflow_id,
  nodes: [],
  reservations: NO_RESERVATIONS,
  load: NO_LOAD,
  holds_name: true,
  status: 'registering',
  bud_cluster_id: null,
});

const restored = (state: ClusterState): ClusterState => {
  if (state.status !== 'deleting' || state.before === null || state.bud_cluster_id === null) return state;
  const { removes: _removes, ends: _ends, before: _before, ...rest } = state;
  return { ...rest, status: 'available', bud_cluster_id: state.bud_cluster_id };
};

const evolve = (state: ClusterState | null, event: Recorded<ClusterFact>): ClusterState | null => {
  if (event.type === 'ClusterRegistrationRequested') return requested(event);
  if (!state) return null;
  const { type, data } = event;
  switch (type) {
    case 'ClusterRegistered':
      return { ...state, status: 'available', bud_cluster_id: data.bud_cluster_id, nodes: data.nodes };
    case 'ClusterRegistrationFailed':
      return { ...state, status: 'error', holds_name: false };
    case 'ClusterRenamed':
      return { ...state, name: data.name };
    case 'ClusterIngressChanged':
      return { ...state, ingress_url: data.ingress_url };
    case 'ClusterBecameAvailable':
      return isRegistered(state) ? { ...state, status: 'available', nodes: data.nodes, reregistration: null } : state;
    case 'ClusterReregistrationRequested': {
      const { workflow_id, attempt, deadline: until } = data;
      return { ...state, reregistration: { workflow_id, attempt, under_way: true, until } };
    }
    case 'ClusterReregistered':
      return isRegistered(state)
        ? { ...state, bud_cluster_id: data.bud_cluster_id, nodes: data.nodes, reregistration: null }
        : state;
    case 'ClusterReregistrationFailed': {
      const { reregistration } = state;
      if (!reregistration) return state;
      return { ...state, reregistration: { ...reregistration, under_way: false, until: data.retry_at } };
    }
    case 'ClusterBecameUnavailable': {
      const { deadline, recovery = null } = data;
      return isRegistered(state) ? { ...state, status: 'unavailable', deadline, recovery } : state;
    }
    case 'ClusterRecoveryOverdue': {
      const { deadline, recovery = null } = data;
      return state.status === 'unavailable' ? { ...state, deadline, recovery } : state;
    }
    case 'ClusterNodesChanged':
      return { ...state, nodes: data.nodes };
    case 'CapacityReserved': {
      const { endpoint_id, replicas, resources } = data;
      const holding = { replicas, resources };
      const load = replaceHolding(state.load, findReservation(state.reservations, endpoint_id), holding);
      return { ...state, reservations: withReservation(state.reservations, endpoint_id, holding), load };
    }
    case 'CapacityReleased': {
      const { endpoint_id } = data;
      const load = replaceHolding(state.load, findReservation(state.reservations, endpoint_id), null);
      return { ...state, reservations: withoutReservation(state.reservations, endpoint_id), load };
    }
    case 'ClusterDeletionRequested': {
      const { workflow_id, ends = null } = data;
      const { bud_cluster_id } = state;
      const before = isRegistered(state) ? state.status : null;
      return { ...state, status: 'deleting', workflow_id, bud_cluster_id, removes: 'cluster', ends, before };
    }
    case 'ClusterRegistrationEnded':
      return state.status === 'deleting' ? { ...state, ends: null } : state;
    case 'ClusterDeletionCancelled':
      return restored(state);
    case 'ClusterCleanupPending': {
      if (state.status !== 'registering') return state;
      const { bud_cluster_id } = state;
      return { ...state, status: 'deleting', bud_cluster_id, removes: 'registration', ends: null, before: null };
    }
    case 'ClusterDeletionFailed':
      return { ...state, status: 'error' };
    case 'ClusterDeleted':
      return { ...state, status: 'deleted', holds_name: false };
  }
};

/** Whether the cluster is being registered anew by this workflow, and has not become available since. */
export const isBeingReregistered = (
  state: ClusterState,
  by: WorkflowId,
): state is Identity & Registered & { reregistration: Reregistration } =>
  state.status === 'unavailable' && state.reregistration?.workflow_id === by && state.reregistration.under_way;

export const isRegistered = (state: ClusterState): state is Identity & Registered =>
  state.status === 'available' || state.status === 'unavailable';

export const cluster: Aggregate<ClusterState, ClusterFact> = {
  area: 'cluster',
  evolve,
  isGone: (state) => state.status === 'deleted',
  nameOf: (state) => (state.holds_name ? { kind: 'cluster', name: state.name } : null),
};

export const { change: clusterCommand, create: clusterCreation } = commandsOn(cluster);

/** Throws `Rejected` `cluster-not-available`. */
export const assertAvailable = (state: ClusterState): void => {
  if (state.status === 'available') return;
  throw rejected('cluster-not-available', `The cluster "${state.name}" is not available: it is ${state.status}.`, {
    hint: 'Wait until the cluster is available, or choose another one.',
  });
};

/** What one endpoint is to have reserved. */
interface Wanted {
  /** The endpoint, whose present reservation is replaced; absent where it has none. */
  endpoint_id?: EndpointId;
  replicas: number;
  each: Resources;
}

const fullMessage = (name: string, { free }: Capacity, { replicas, each }: Wanted, room: number): string => {
  const required = timesResources(each, replicas);
  const said = `The cluster "${name}" has ${resourcesText(free)} free; ${resourcesText(required)} are required.`;
  if (!fitsInto(required, free)) return said;
  return `${said} A replica of ${resourcesText(each)} must fit on one node: there is room for ${room} of ${replicas}.`;
};

/**
 * The capacity into which all wanted replicas fit, without the endpoint's present reservation. Throws `Rejected`
 * `cluster-not-available`, or `cluster-full` with the free and the required capacity.
 */
export const findRoom = (state: ClusterState, wanted: Wanted): Capacity => {
  assertAvailable(state);
  const { endpoint_id, replicas, each } = wanted;
  const own = endpoint_id ? findReservation(state.reservations, endpoint_id) : null;
  const capacity = capacityUnder(state.nodes, replaceHolding(state.load, own, null));
  const room = roomFor(each, capacity);
  if (room >= replicas) return capacity;
  throw rejected('cluster-full', fullMessage(state.name, capacity, wanted, room), {
    hint: 'Use fewer replicas or another cluster, or delete endpoints on this one.',
    extra: { free: capacity.free, wanted: timesResources(each, replicas) },
  });
};
