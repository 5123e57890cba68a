import type { AnyCommand } from '../command.ts';
import { deleteCluster } from './delete-cluster.ts';
import { cancelClusterDeletion } from './internal/cancel-cluster-deletion.ts';
import { failClusterDeletion } from './internal/fail-cluster-deletion.ts';
import { failClusterRegistration } from './internal/fail-cluster-registration.ts';
import { failClusterReregistration } from './internal/fail-cluster-reregistration.ts';
import { recordClusterCleanupPending } from './internal/record-cluster-cleanup-pending.ts';
import { recordClusterDeleted } from './internal/record-cluster-deleted.ts';
import { recordClusterRecoveryOverdue } from './internal/record-cluster-recovery-overdue.ts';
import { recordClusterRegistered } from './internal/record-cluster-registered.ts';
import { recordClusterReregistered } from './internal/record-cluster-reregistered.ts';
import { recordClusterStatus } from './internal/record-cluster-status.ts';
import { releaseCapacity } from './internal/release-capacity.ts';
import { requestClusterReregistration } from './internal/request-cluster-reregistration.ts';
import { reserveCapacity } from './internal/reserve-capacity.ts';
import { registerCluster } from './register-cluster.ts';
import { retryRegistration } from './retry-registration.ts';
import { updateCluster } from './update-cluster.ts';

/** The commands of the area cluster. */
export const clusterCommands: readonly AnyCommand[] = [
  deleteCluster,
  registerCluster,
  retryRegistration,
  updateCluster,
  // Sent by BudApp only.
  cancelClusterDeletion,
  failClusterDeletion,
  failClusterRegistration,
  failClusterReregistration,
  recordClusterCleanupPending,
  recordClusterDeleted,
  recordClusterRecoveryOverdue,
  recordClusterRegistered,
  recordClusterReregistered,
  recordClusterStatus,
  releaseCapacity,
  requestClusterReregistration,
  reserveCapacity,
];
