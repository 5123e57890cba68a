import { StepFailed } from '../service/step-failed.ts';
import type { ClusterState, WorkflowInput } from './cluster-state.ts';
import type { PlanDependencies } from './deployment-plan.ts';
import { measureNode } from './machine.ts';
import type { Step, StepPlan } from './step-plan.ts';

type Registration = Extract<WorkflowInput, { operation: 'register-cluster' }>;

const determinePlatform: Step = {
  id: 'determine_cluster_platform',
  title: 'Determine cluster platform',
  description: 'Find out what kind of cluster it is',
  run: async () => `This machine: ${process.platform} on ${process.arch}`,
};

const assertFirst = (state: ClusterState, workflowId: string, { configuration_sha256 }: Registration) => {
  const twin = Object.values(state.data.clusters).find(
    (cluster) => cluster.id !== workflowId && cluster.configuration_sha256 === configuration_sha256,
  );
  if (twin !== undefined) throw new StepFailed(`the same configuration is registered already, as ${twin.name}`);
};

const checkDuplicate = (state: ClusterState, workflowId: string, input: Registration): Step => ({
  id: 'check_duplicate_config',
  title: 'Check for a duplicate',
  description: 'Make sure that the same configuration is not registered already',
  async run() {
    assertFirst(state, workflowId, input);
    return 'It is the first with this configuration';
  },
});

const verifyConnection = ({ configuration_sha256 }: Registration): Step => ({
  id: 'verify_cluster_connection',
  title: 'Verify cluster connection',
  description: 'Check that the configuration leads to a cluster',
  async run() {
    if (configuration_sha256 === null) throw new StepFailed('the configuration is empty, and leads to no cluster');
    return 'It leads to this machine';
  },
});

const configure = (state: ClusterState, id: string, input: Registration): Step => ({
  id: 'configure_cluster',
  title: 'Configure cluster',
  description: 'Keep what deployments need to know',
  async run() {
    const { request, configuration_sha256 } = input;
    const { name, cluster_type, ingress_url } = request;
    // Checked again, since another registration may have come this far in the meantime.
    assertFirst(state, id, input);
    state.data.clusters[id] = { id, name, cluster_type, ingress_url, configuration_sha256: configuration_sha256 ?? '' };
    await state.save();
    return 'Deployments can be placed here from now on';
  },
});

/** The workflow's id becomes the cluster's id, so that a resumed workflow creates no second cluster. */
export const planRegistration = (
  { state, deployments }: PlanDependencies,
  id: string,
  input: Registration,
): StepPlan => {
  const measure = () => measureNode(id, deployments.taken(id));
  const fetchInfo: Step = {
    id: 'fetch_cluster_info',
    title: 'Fetch cluster info',
    description: 'Measure the nodes and what they offer',
    async run() {
      const { cores, memory_mib, architecture } = measure();
      return `1 node: ${cores} cores (${architecture}), ${memory_mib} MiB`;
    },
  };
  return {
    name: 'register_cluster',
    type: 'register_cluster',
    title: `Register ${input.request.name}`,
    steps: [
      determinePlatform,
      checkDuplicate(state, id, input),
      verifyConnection(input),
      configure(state, id, input),
      fetchInfo,
    ],
    result: async () => ({ id, nodes: [measure()] }),
    async undo() {
      delete state.data.clusters[id];
      await state.save();
    },
  };
};
