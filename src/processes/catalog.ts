import { clusterDeletion } from './cluster/cluster-deletion.ts';
import { clusterOnboarding } from './cluster/cluster-onboarding.ts';
import { clusterRecovery } from './cluster/cluster-recovery.ts';
import { clusterReregistration } from './cluster/cluster-reregistration.ts';
import { endpointDeletion } from './endpoint/endpoint-deletion.ts';
import { endpointRecovery } from './endpoint/endpoint-recovery.ts';
import { createEndpointRepair } from './endpoint/endpoint-repair.ts';
import { createEndpointScaling } from './endpoint/endpoint-scaling.ts';
import { createModelDeployment, type DeploymentOptions } from './endpoint/model-deployment.ts';
import { modelDeletion } from './model/model-deletion.ts';
import { createModelOnboarding } from './model/model-onboarding.ts';
import type { Process } from './process.ts';

/** Every process manager. `objectUri` makes the URI under which other services read a file of the object storage. */
export const createProcesses = (options: DeploymentOptions): readonly Process[] => [
  createModelOnboarding(options),
  modelDeletion,
  createModelDeployment(options),
  createEndpointScaling(options),
  endpointDeletion,
  endpointRecovery,
  createEndpointRepair(options),
  clusterOnboarding,
  clusterDeletion,
  clusterRecovery,
  clusterReregistration,
];
