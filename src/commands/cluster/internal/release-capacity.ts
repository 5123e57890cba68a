import { z } from 'zod';
import { ClusterId, EndpointId, WorkflowId } from '../../../events/ids.ts';
import { clusterCommand } from '../cluster-state.ts';
import { findReservation } from '../reservations.ts';

export const releaseCapacity = clusterCommand({
  type: 'ReleaseCapacity',
  summary: 'Release the capacity that an endpoint reserved on a cluster',
  permission: 'system',
  data: z.strictObject({ cluster_id: ClusterId, endpoint_id: EndpointId, workflow_id: WorkflowId }),
  target: ({ cluster_id }) => cluster_id,
  decide: (data, { reservations }) =>
    findReservation(reservations, data.endpoint_id) ? { type: 'CapacityReleased', data } : [],
});
