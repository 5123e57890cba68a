import { v5 } from 'uuid';
import type { WorkflowRecord, WorkflowRecords } from '../service/workflow-records.ts';
import type { ClusterState, StoredWorkflow, WorkflowInput } from './cluster-state.ts';

const WORKFLOW_NAMESPACE = '0a4e3c9d-51c8-5b7e-9a3f-6d2c8e1f7b35';
const MAX_KEPT = 1_000;

const targetOf = (input: WorkflowInput): string => {
  switch (input.operation) {
    case 'add-worker':
      return input.request.existing_deployment_namespace;
    case 'delete-deployment':
      return input.request.namespace;
    case 'delete-worker':
      return input.request.worker_id;
    case 'delete-cluster':
      return input.request.cluster_id;
    case 'deploy':
    case 'register-cluster':
      return '';
  }
};

/** One workflow of the caller may ask for several things, but for each only once. */
const keyOf = (input: WorkflowInput): string =>
  [input.operation, input.request.notification_metadata.workflow_id, targetOf(input)].join(':');

export const workflowIdOf = (input: WorkflowInput): string => v5(keyOf(input), WORKFLOW_NAMESPACE);

const toStored = (record: WorkflowRecord<WorkflowInput>): StoredWorkflow => {
  const { id, input } = record;
  return record.status === 'running'
    ? { id, input, status: 'running', closing_messages: [], told: false }
    : { id, input, status: record.outcome, closing_messages: [...record.closing], told: record.told };
};

const fromStored = ({ id, input, status, closing_messages, told }: StoredWorkflow): WorkflowRecord<WorkflowInput> =>
  status === 'running'
    ? { id, input, status }
    : { id, input, status: 'ended', outcome: status, closing: closing_messages, told };

const forgetOldest = (workflows: Record<string, StoredWorkflow>) => {
  const ended = Object.keys(workflows).filter((key) => workflows[key]?.status !== 'running');
  for (const key of ended.slice(0, Math.max(0, ended.length - MAX_KEPT))) delete workflows[key];
};

/** Keeps the workflows in the state of the cluster. */
export const createWorkflowStore = (state: ClusterState): WorkflowRecords<WorkflowInput> => ({
  async find(id) {
    const stored = Object.values(state.data.workflows).find((candidate) => candidate.id === id);
    return stored === undefined ? null : fromStored(stored);
  },
  async write(record) {
    state.data.workflows[keyOf(record.input)] = toStored(record);
    forgetOldest(state.data.workflows);
    await state.save();
  },
  unfinished: () =>
    Object.values(state.data.workflows)
      .filter(({ status, told }) => status === 'running' || !told)
      .map(fromStored),
});
