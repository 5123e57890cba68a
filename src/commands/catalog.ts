import { deleteCluster } from './cluster/delete-cluster.ts';
import { failClusterDeletion } from './cluster/fail-cluster-deletion.ts';
import { failClusterRegistration } from './cluster/fail-cluster-registration.ts';
import { recordClusterDeleted } from './cluster/record-cluster-deleted.ts';
import { recordClusterRecoveryOverdue } from './cluster/record-cluster-recovery-overdue.ts';
import { recordClusterRegistered } from './cluster/record-cluster-registered.ts';
import { recordClusterStatus } from './cluster/record-cluster-status.ts';
import { registerCluster } from './cluster/register-cluster.ts';
import { releaseCapacity } from './cluster/release-capacity.ts';
import { reserveCapacity } from './cluster/reserve-capacity.ts';
import { updateCluster } from './cluster/update-cluster.ts';
import type { AnyCommand } from './command.ts';
import { beginPlacement } from './endpoint/begin-placement.ts';
import { cancelEndpoint } from './endpoint/cancel-endpoint.ts';
import { deleteEndpoint } from './endpoint/delete-endpoint.ts';
import { deployModel } from './endpoint/deploy-model.ts';
import { failEndpoint } from './endpoint/fail-endpoint.ts';
import { failEndpointDeletion } from './endpoint/fail-endpoint-deletion.ts';
import { failEndpointScaling } from './endpoint/fail-endpoint-scaling.ts';
import { placeEndpoint } from './endpoint/place-endpoint.ts';
import { recordEndpointDeleted } from './endpoint/record-endpoint-deleted.ts';
import { recordEndpointDeployed } from './endpoint/record-endpoint-deployed.ts';
import { recordEndpointRecoveryOverdue } from './endpoint/record-endpoint-recovery-overdue.ts';
import { recordEndpointReport } from './endpoint/record-endpoint-report.ts';
import { recordEndpointScaled } from './endpoint/record-endpoint-scaled.ts';
import { scaleEndpoint } from './endpoint/scale-endpoint.ts';
import { deleteModel } from './model/delete-model.ts';
import { failModelOnboarding } from './model/fail-model-onboarding.ts';
import { recordModelMetadata } from './model/record-model-metadata.ts';
import { registerCloudModel } from './model/register-cloud-model.ts';
import { updateModel } from './model/update-model.ts';
import { uploadLocalModel } from './model/upload-local-model.ts';
import { addProjectMember } from './project/add-project-member.ts';
import { changeProjectMemberScopes } from './project/change-project-member-scopes.ts';
import { createDefaultProject } from './project/create-default-project.ts';
import { createProject } from './project/create-project.ts';
import { deleteProject } from './project/delete-project.ts';
import { removeProjectMember } from './project/remove-project-member.ts';
import { updateProject } from './project/update-project.ts';
import { changeUserPermissions } from './user/change-user-permissions.ts';
import { disableUser } from './user/disable-user.ts';
import { followProviderRole } from './user/follow-provider-role.ts';
import { reactivateUser } from './user/reactivate-user.ts';
import { registerUser } from './user/register-user.ts';
import { cancelWorkflow } from './workflow/cancel-workflow.ts';
import { completeWorkflow } from './workflow/complete-workflow.ts';
import { completeWorkflowStep } from './workflow/complete-workflow-step.ts';
import { failWorkflow } from './workflow/fail-workflow.ts';
import { failWorkflowStep } from './workflow/fail-workflow-step.ts';
import { fireWorkflowTimer } from './workflow/fire-workflow-timer.ts';
import { markWorkflowCancelled } from './workflow/mark-workflow-cancelled.ts';
import { recordCallAnswer } from './workflow/record-call-answer.ts';
import { recordCallFailure } from './workflow/record-call-failure.ts';
import { recordCommandRefusal } from './workflow/record-command-refusal.ts';
import { recordServiceMessage } from './workflow/record-service-message.ts';
import { skipWorkflowStep } from './workflow/skip-workflow-step.ts';
import { startWorkflow } from './workflow/start-workflow.ts';
import { startWorkflowStep } from './workflow/start-workflow-step.ts';

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
