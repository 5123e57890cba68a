import { deleteEndpoint } from '../../commands/endpoint/delete-endpoint.ts';
import { deployModel } from '../../commands/endpoint/deploy-model.ts';
import { scaleEndpoint } from '../../commands/endpoint/scale-endpoint.ts';
import { ClusterId, ModelId, ProjectId } from '../../events/ids.ts';
import { EndpointName } from '../../events/values.ts';
import { EndpointStatus } from '../../projections/endpoints.ts';
import { commandDefaults } from '../command-defaults.ts';
import { commandRoutes } from '../command-route.ts';
import { itemRoute, listRoute } from '../read-route.ts';
import { resources } from '../resource.ts';
import type { Route } from '../route.ts';
import type { WriteServices } from '../write.ts';
import { endpointInsightRoutes } from './endpoint-insight.ts';

const tag = 'endpoints';

export const endpointRoutes = (services: WriteServices): Route[] => {
  const command = commandRoutes(services);
  const endpoint = '/endpoints/{endpoint_id}';
  return [
    command('POST', '/endpoints', deployModel, {
      tag,
      starts_process: true,
      defaults: commandDefaults.DeployModel,
      example: {
        name: 'llama-endpoint',
        model_id: '01930000-0000-7000-8000-000000000001',
        cluster_id: '01930000-0000-7000-8000-000000000002',
        replicas: 2,
      },
    }),
    listRoute(services, resources.endpoint, {
      tag,
      filters: {
        name: EndpointName,
        status: EndpointStatus,
        project_id: ProjectId,
        model_id: ModelId,
        cluster_id: ClusterId,
      },
      sortable: ['created_at', 'updated_at', 'name'],
    }),
    itemRoute(services, resources.endpoint, { tag, parameter: 'endpoint_id' }),
    command('PUT', endpoint, scaleEndpoint, { tag, starts_process: true, example: { replicas: 3 } }),
    command('DELETE', endpoint, deleteEndpoint, { tag, starts_process: true }),
    command('POST', `${endpoint}/scale`, scaleEndpoint, {
      tag,
      operation_id: 'ScaleEndpointTo',
      starts_process: true,
      example: { replicas: 3 },
    }),
    ...endpointInsightRoutes(services),
  ];
};
