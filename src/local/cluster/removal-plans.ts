import type { DeleteClusterRequest, DeleteDeploymentRequest, DeleteWorkerRequest } from '../../contracts/budcluster.ts';
import type { PlanDependencies } from './deployment-plan.ts';
import { describeWorker } from './deployment-status.ts';
import type { StepPlan } from './step-plan.ts';

// Removals need no rollback, and removing something that does not exist does nothing.
const undo = async () => {};

export const planDeploymentDeletion = (
  { deployments }: PlanDependencies,
  { namespace, cluster_id }: DeleteDeploymentRequest,
): StepPlan => ({
  name: 'delete_deployment',
  type: 'delete_deployment',
  title: `Delete ${namespace}`,
  steps: [
    {
      id: 'delete_namespace',
      title: 'Delete namespace',
      description: 'End the inference servers and delete their files',
      async run() {
        if (deployments.find(namespace)?.cluster_id !== cluster_id) return `${namespace} is not there`;
        const processes = deployments.workers(namespace).length;
        await deployments.remove(namespace);
        return `${processes} ${processes === 1 ? 'process' : 'processes'} ended, files deleted`;
      },
    },
  ],
  result: async () => null,
  undo,
});

export const planWorkerDeletion = ({ deployments }: PlanDependencies, { worker_id }: DeleteWorkerRequest): StepPlan => {
  let namespace: string | undefined;
  return {
    name: 'delete_worker',
    type: 'delete_worker',
    title: 'Delete a replica',
    steps: [
      {
        id: 'delete_worker',
        title: 'Delete worker',
        description: 'Let the inference server finish what it is working on, then end it',
        async run() {
          const found = deployments.findWorker(worker_id);
          if (found === undefined) return `worker ${worker_id} is not there`;
          namespace = found.record.namespace;
          await deployments.removeWorkers(namespace, ({ id }) => id === worker_id);
          return `${found.worker.name} ended`;
        },
      },
    ],
    result: async () => ({
      worker_data_list: namespace === undefined ? null : deployments.workers(namespace).map(describeWorker),
    }),
    undo,
  };
};

export const planClusterDeletion = (
  { state, deployments }: PlanDependencies,
  { cluster_id }: DeleteClusterRequest,
): StepPlan => ({
  name: 'delete_cluster',
  type: 'delete_cluster',
  title: 'Delete the cluster',
  steps: [
    {
      id: 'delete_namespace',
      title: 'Delete namespace',
      description: 'End everything that runs on the cluster and forget it',
      async run() {
        const left = deployments.listOf(cluster_id);
        for (const { namespace } of left) await deployments.remove(namespace);
        delete state.data.clusters[cluster_id];
        await state.save();
        return `${left.length} ${left.length === 1 ? 'deployment' : 'deployments'} removed`;
      },
    },
  ],
  result: async () => null,
  undo,
});
