import { clusterDeletion } from './cluster-deletion.ts';
import { clusterOnboarding } from './cluster-onboarding.ts';
import { clusterRecovery } from './cluster-recovery.ts';
import { endpointDeletion } from './endpoint-deletion.ts';
import { endpointRecovery } from './endpoint-recovery.ts';
import { createEndpointScaling } from './endpoint-scaling.ts';
import { modelDeletion } from './model-deletion.ts';
import { createModelDeployment, type DeploymentOptions } from './model-deployment.ts';
import { createModelOnboarding } from './model-onboarding.ts';
import type { Process } from './process.ts';

/** Every process. `objectUri`: what other services are given for a file in our object storage. */
export const createProcesses = (options: DeploymentOptions): readonly Process[] => [
  createModelOnboarding(options),
  modelDeletion,
  createModelDeployment(options),
  createEndpointScaling(options),
  endpointDeletion,
  endpointRecovery,
  clusterOnboarding,
  clusterDeletion,
  clusterRecovery,
];
