import { deleteCluster } from './cluster/delete-cluster.ts';
import { failClusterDeletion } from './cluster/internal/fail-cluster-deletion.ts';
import { failClusterRegistration } from './cluster/internal/fail-cluster-registration.ts';
import { recordClusterDeleted } from './cluster/internal/record-cluster-deleted.ts';
import { recordClusterRecoveryOverdue } from './cluster/internal/record-cluster-recovery-overdue.ts';
import { recordClusterRegistered } from './cluster/internal/record-cluster-registered.ts';
import { recordClusterStatus } from './cluster/internal/record-cluster-status.ts';
import { releaseCapacity } from './cluster/internal/release-capacity.ts';
import { reserveCapacity } from './cluster/internal/reserve-capacity.ts';
import { registerCluster } from './cluster/register-cluster.ts';
import { updateCluster } from './cluster/update-cluster.ts';
import type { AnyCommand } from './command.ts';
import { deleteEndpoint } from './endpoint/delete-endpoint.ts';
import { deployModel } from './endpoint/deploy-model.ts';
import { beginPlacement } from './endpoint/internal/begin-placement.ts';
import { cancelEndpoint } from './endpoint/internal/cancel-endpoint.ts';
import { failEndpoint } from './endpoint/internal/fail-endpoint.ts';
import { failEndpointDeletion } from './endpoint/internal/fail-endpoint-deletion.ts';
import { failEndpointScaling } from './endpoint/internal/fail-endpoint-scaling.ts';
import { placeEndpoint } from './endpoint/internal/place-endpoint.ts';
import { recordEndpointDeleted } from './endpoint/internal/record-endpoint-deleted.ts';
import { recordEndpointDeployed } from './endpoint/internal/record-endpoint-deployed.ts';
import { recordEndpointRecoveryOverdue } from './endpoint/internal/record-endpoint-recovery-overdue.ts';
import { recordEndpointReport } from './endpoint/internal/record-endpoint-report.ts';
import { recordEndpointScaled } from './endpoint/internal/record-endpoint-scaled.ts';
import { scaleEndpoint } from './endpoint/scale-endpoint.ts';
import { deleteModel } from './model/delete-model.ts';
import { failModelOnboarding } from './model/internal/fail-model-onboarding.ts';
import { recordModelMetadata } from './model/internal/record-model-metadata.ts';
import { registerCloudModel } from './model/register-cloud-model.ts';
import { updateModel } from './model/update-model.ts';
import { uploadLocalModel } from './model/upload-local-model.ts';
import { addProjectMember } from './project/add-project-member.ts';
import { changeProjectMemberScopes } from './project/change-project-member-scopes.ts';
import { createProject } from './project/create-project.ts';
import { deleteProject } from './project/delete-project.ts';
import { createDefaultProject } from './project/internal/create-default-project.ts';
import { removeProjectMember } from './project/remove-project-member.ts';
import { updateProject } from './project/update-project.ts';
import { changeUserPermissions } from './user/change-user-permissions.ts';
import { disableUser } from './user/disable-user.ts';
import { followProviderRole } from './user/internal/follow-provider-role.ts';
import { registerUser } from './user/internal/register-user.ts';
import { reactivateUser } from './user/reactivate-user.ts';
import { cancelWorkflow } from './workflow/cancel-workflow.ts';
import { completeWorkflow } from './workflow/internal/complete-workflow.ts';
import { completeWorkflowStep } from './workflow/internal/complete-workflow-step.ts';
import { failWorkflow } from './workflow/internal/fail-workflow.ts';
import { failWorkflowStep } from './workflow/internal/fail-workflow-step.ts';
import { fireWorkflowTimer } from './workflow/internal/fire-workflow-timer.ts';
import { markWorkflowCancelled } from './workflow/internal/mark-workflow-cancelled.ts';
import { recordCallAnswer } from './workflow/internal/record-call-answer.ts';
import { recordCallFailure } from './workflow/internal/record-call-failure.ts';
import { recordCommandRefusal } from './workflow/internal/record-command-refusal.ts';
import { recordServiceMessage } from './workflow/internal/record-service-message.ts';
import { skipWorkflowStep } from './workflow/internal/skip-workflow-step.ts';
import { startWorkflow } from './workflow/internal/start-workflow.ts';
import { startWorkflowStep } from './workflow/internal/start-workflow-step.ts';

/** Every command there is. */
export const commandCatalog: readonly AnyCommand[] = [
  addProjectMember,
  changeProjectMemberScopes,
  createDefaultProject,
  createProject,
  deleteProject,
  removeProjectMember,
  updateProject,
  changeUserPermissions,
  disableUser,
  followProviderRole,
  reactivateUser,
  registerUser,
  deleteModel,
  failModelOnboarding,
  recordModelMetadata,
  registerCloudModel,
  updateModel,
  uploadLocalModel,
  deleteCluster,
  failClusterDeletion,
  failClusterRegistration,
  recordClusterDeleted,
  recordClusterRegistered,
  recordClusterRecoveryOverdue,
  recordClusterStatus,
  registerCluster,
  releaseCapacity,
  reserveCapacity,
  updateCluster,
  beginPlacement,
  cancelEndpoint,
  deleteEndpoint,
  deployModel,
  failEndpointDeletion,
  failEndpointScaling,
  failEndpoint,
  placeEndpoint,
  recordEndpointDeleted,
  recordEndpointDeployed,
  recordEndpointReport,
  recordEndpointScaled,
  recordEndpointRecoveryOverdue,
  scaleEndpoint,
  cancelWorkflow,
  completeWorkflowStep,
  completeWorkflow,
  failWorkflowStep,
  failWorkflow,
  fireWorkflowTimer,
  markWorkflowCancelled,
  recordCallAnswer,
  recordCallFailure,
  recordCommandRefusal,
  recordServiceMessage,
  skipWorkflowStep,
  startWorkflowStep,
  startWorkflow,
];

const byType: ReadonlyMap<string, AnyCommand> = new Map(commandCatalog.map((command) => [command.type, command]));

export const findCommand = (type: string): AnyCommand | undefined => byType.get(type);
