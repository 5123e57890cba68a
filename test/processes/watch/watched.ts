import type { ReportedWorker } from '../../../src/contracts/budcluster.ts';
import { newId, TenantId } from '../../../src/events/ids.ts';
import type { WatchedCluster, WatchedEndpoint } from '../../../src/projections/queries/watched-query.ts';

export const TENANT = newId(TenantId);
export const CLUSTER_ID = '01890a5d-ac96-774b-bcce-b302099a8005';
const AT = '2030-01-01T10:00:00.000Z';

export const reported = (name: string, status = 'Running'): ReportedWorker => ({
  id: `id-${name}`,
  name,
  status,
  deployment_status: 'ready',
});

const seen = ({ name, status }: ReportedWorker) => ({
  name: name ?? '',
  status: status ?? '',
  node_name: null,
  device_name: null,
});

/** An endpoint with two replicas, both running. */
export const anEndpoint = (given: Partial<WatchedEndpoint> = {}): WatchedEndpoint => ({
  id: '01890a5d-ac96-774b-bcce-b302099a8002',
  tenant_id: TENANT,
  cluster_id: CLUSTER_ID,
  namespace: 'bud-a',
  status: 'running',
  reason: null,
  deadline: null,
  desired: { replicas: 2 },
  observed: {
    replicas: { total: 2, available: 2, failed: 0, pending: 0 },
    ingress_healthy: true,
    workers: [reported('w-1'), reported('w-2')].map(seen),
    at: AT,
    last_proof_at: AT,
  },
  ...given,
});

export const aCluster = (given: Partial<WatchedCluster> = {}): WatchedCluster => ({
  id: CLUSTER_ID,
  tenant_id: TENANT,
  bud_cluster_id: 'bud-1',
  status: 'available',
  reason: null,
  nodes: [],
  ...given,
});
