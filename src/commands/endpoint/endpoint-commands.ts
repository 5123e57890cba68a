import type { AnyCommand } from '../command.ts';
import { deleteEndpoint } from './delete-endpoint.ts';
import { deployModel } from './deploy-model.ts';
import { beginPlacement } from './internal/begin-placement.ts';
import { cancelEndpoint } from './internal/cancel-endpoint.ts';
import { cancelEndpointDeletion } from './internal/cancel-endpoint-deletion.ts';
import { failEndpoint } from './internal/fail-endpoint.ts';
import { failEndpointDeletion } from './internal/fail-endpoint-deletion.ts';
import { failEndpointRepair } from './internal/fail-endpoint-repair.ts';
import { failEndpointScaling } from './internal/fail-endpoint-scaling.ts';
import { placeEndpoint } from './internal/place-endpoint.ts';
import { recordEndpointCleanupPending } from './internal/record-endpoint-cleanup-pending.ts';
import { recordEndpointDeleted } from './internal/record-endpoint-deleted.ts';
import { recordEndpointDeployed } from './internal/record-endpoint-deployed.ts';
import { recordEndpointRecoveryOverdue } from './internal/record-endpoint-recovery-overdue.ts';
import { recordEndpointRepaired } from './internal/record-endpoint-repaired.ts';
import { recordEndpointReport } from './internal/record-endpoint-report.ts';
import { recordEndpointScaled } from './internal/record-endpoint-scaled.ts';
import { recordEndpointSilence } from './internal/record-endpoint-silence.ts';
import { requestEndpointRepair } from './internal/request-endpoint-repair.ts';
import { retryDeployment } from './retry-deployment.ts';
import { scaleEndpoint } from './scale-endpoint.ts';

/** The commands of the area endpoint. */
export const endpointCommands: readonly AnyCommand[] = [
  deleteEndpoint,
  deployModel,
  retryDeployment,
  scaleEndpoint,
  // Sent by BudApp only.
  beginPlacement,
  cancelEndpoint,
  cancelEndpointDeletion,
  failEndpoint,
  failEndpointDeletion,
  failEndpointRepair,
  failEndpointScaling,
  placeEndpoint,
  recordEndpointCleanupPending,
  recordEndpointDeleted,
  recordEndpointDeployed,
  recordEndpointRecoveryOverdue,
  recordEndpointReport,
  recordEndpointRepaired,
  recordEndpointScaled,
  recordEndpointSilence,
  requestEndpointRepair,
];
