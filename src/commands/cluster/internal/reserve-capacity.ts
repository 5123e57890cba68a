import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { eachOf } from '../../../events/capacity.ts';
import { ClusterId, EndpointId, WorkflowId } from '../../../events/ids.ts';
import { fitsInto } from '../../../events/resources.ts';
import { Resources } from '../../../events/values.ts';
import { clusterCommand, findRoom } from '../cluster-state.ts';
import { findReservation } from '../reservations.ts';

export const reserveCapacity = clusterCommand({
  type: 'ReserveCapacity',
  summary: 'Reserve capacity on a cluster for an endpoint',
  permission: 'system',
  data: z.strictObject({
    cluster_id: ClusterId,
    endpoint_id: EndpointId,
    workflow_id: WorkflowId,
    /** The endpoint's whole reservation, which replaces the previous one. */
    replicas: z.int().min(0),
    resources: Resources,
  }),
  target: ({ cluster_id }) => cluster_id,
  decide: (data, state) => {
    const { endpoint_id, replicas, resources } = data;
    const held = findReservation(state.reservations, endpoint_id);
    if (held && isDeepStrictEqual(held, { replicas, resources })) return [];
    // A smaller reservation is always possible, even while the cluster is unavailable or has lost a node.
    if (held && fitsInto(resources, held.resources)) return { type: 'CapacityReserved', data };
    const { free } = findRoom(state, { endpoint_id, replicas, each: eachOf({ replicas, resources }) });
    return { type: 'CapacityReserved', data: { ...data, free } };
  },
});
