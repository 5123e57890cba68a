import * as contract from './budmodel.ts';
import { defineCall } from './call.ts';
import { accepting, changing, whole } from './call-kinds.ts';

/** The operations of the model service that BudApp uses, by name. */
export const budmodelCalls = {
  'model.extract': defineCall({
    ...accepting,
    app_id: contract.BUDMODEL,
    method: 'POST',
    path: () => 'model-info/extract',
    input: contract.ExtractModelRequest,
    body: whole,
  }),
  'model.scan': defineCall({
    ...accepting,
    app_id: contract.BUDMODEL,
    method: 'POST',
    path: () => 'model-info/scan',
    input: contract.ScanModelRequest,
    body: whole,
  }),
  'model.extract-cloud': defineCall({
    ...changing,
    app_id: contract.BUDMODEL,
    method: 'POST',
    path: () => 'model-info/cloud-model/extract',
    input: contract.ExtractCloudModelRequest,
    body: whole,
    answer: contract.CloudModelAnswer,
  }),
  'model.delete-files': defineCall({
    ...changing,
    app_id: contract.BUDMODEL,
    method: 'DELETE',
    path: () => 'model-info/local-models',
    input: contract.DeleteModelFilesRequest,
    query: whole,
    answer: contract.DeleteModelFilesAnswer,
  }),
} as const;
