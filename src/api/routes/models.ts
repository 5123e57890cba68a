import { z } from 'zod';
import { deployModel } from '../../commands/endpoint/deploy-model.ts';
import { deleteModel } from '../../commands/model/delete-model.ts';
import { registerCloudModel } from '../../commands/model/register-cloud-model.ts';
import { updateModel } from '../../commands/model/update-model.ts';
import { ModelRow, ModelStatus } from '../../projections/models.ts';
import { commandDefaults } from '../command-defaults.ts';
import { commandRoutes } from '../command-route.ts';
import { itemRoute, listRoute } from '../read-route.ts';
import { resources } from '../resource.ts';
import type { Route } from '../route.ts';
import type { WriteServices } from '../write.ts';
import { modelUploadRoute } from './model-upload.ts';

const tag = 'models';

export const modelRoutes = (services: WriteServices): Route[] => {
  const command = commandRoutes(services);
  const model = '/models/{model_id}';
  return [
    command('POST', '/models/cloud', registerCloudModel, {
      tag,
      starts_process: true,
      example: { name: 'llama-2-7b', source: 'huggingface', repo_id: 'meta-llama/Llama-2-7b' },
    }),
    modelUploadRoute(services),
    listRoute(services, resources.model, {
      tag,
      filters: { name: z.string(), status: ModelStatus, source: ModelRow.shape.source },
      sortable: ['created_at', 'updated_at', 'name'],
    }),
    itemRoute(services, resources.model, { tag, parameter: 'model_id' }),
    command('PATCH', model, updateModel, { tag, example: { description: 'Small and quick' } }),
    command('DELETE', model, deleteModel, { tag }),
    command('POST', `${model}/deploy`, deployModel, {
      tag,
      operation_id: 'DeployThisModel',
      summary: 'Deploy this model as a new endpoint',
      starts_process: true,
      defaults: commandDefaults.DeployModel,
      example: { name: 'llama-endpoint', replicas: 2 },
    }),
  ];
};
