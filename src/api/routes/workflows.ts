import { z } from 'zod';
import { cancelWorkflow } from '../../commands/workflow/cancel-workflow.ts';
import { ProjectId, UserId } from '../../events/ids.ts';
import { WorkflowKind, WorkflowTarget } from '../../events/workflow-events.ts';
import { WorkflowStatus } from '../../projections/workflows.ts';
import { commandRoutes } from '../command-route.ts';
import { itemRoute, listRoute } from '../read-route.ts';
import { resources } from '../resource.ts';
import type { Route } from '../route.ts';
import { waitForPromisedWorkflows, waitForStartedWorkflow } from '../wait-for-started-workflow.ts';
import type { WriteServices } from '../write.ts';
import { workflowRetryRoute } from './workflow-retry.ts';

const tag = 'workflows';

export const workflowRoutes = (services: WriteServices): Route[] => {
  const command = commandRoutes(services);
  return [
    waitForPromisedWorkflows(
      listRoute(services, resources.workflow, {
        tag,
        filters: {
          status: WorkflowStatus,
          kind: WorkflowKind,
          user_id: UserId,
          project_id: ProjectId,
          target_area: WorkflowTarget.shape.area,
          target_id: z.uuid(),
        },
        sortable: ['created_at', 'updated_at'],
      }),
      services.ownWrites,
    ),
    waitForStartedWorkflow(itemRoute(services, resources.workflow, { tag, parameter: 'workflow_id' })),
    waitForStartedWorkflow(
      command('POST', '/workflows/{workflow_id}/cancel', cancelWorkflow, { tag, starts_process: true }),
    ),
    workflowRetryRoute(services, tag),
  ];
};
