import { z } from 'zod';
import { ClusterId, EndpointId, ModelId, ProjectId, UserId, WorkflowId } from '../../events/ids.ts';
import { DeployConfig, PlacementCandidate, Reason, Resources } from '../../events/values.ts';
import { Removal } from '../removal.ts';

/** The request, with what every phase needs of it. */
const EndpointSpec = z.object({
  workflow_id: WorkflowId,
  user_id: UserId,
  endpoint_id: EndpointId,
  project_id: ProjectId,
  model_id: ModelId,
  name: z.string(),
  /** Where the cluster finds the model. */
  model_uri: z.string(),
  provider: z.string(),
  size_bytes: z.int(),
  replicas: z.int(),
  resources_per_replica: Resources,
  deploy_config: DeployConfig,
  /** The cluster service's id of the only cluster allowed; null: any cluster. */
  bud_cluster_id: z.string().nullable(),
  deadline: z.string(),
});

/** A recommended cluster that the tenant has registered. */
const Option = z.object({ cluster_id: ClusterId, bud_cluster_id: z.string(), name: z.string() });
export type Option = z.output<typeof Option>;

const placement = { simulator_id: z.string(), candidates: z.array(PlacementCandidate) };
const chosen = { ...placement, option: Option };

const undone = {
  phase: z.literal('undoing'),
  wanted: EndpointSpec,
  option: Option,
  /** The abort that is being carried out. Instances under way are stored with this name. */
  trouble: z.object({ reason: Reason, ending: z.enum(['failed', 'cancelled']) }),
};

/** What the cluster made is being removed. */
const Undoing = z.object({ ...undone, removal: Removal });

/** As an earlier version stored it, with a removal that makes one attempt. */
const UndoingBefore = z
  .object({
    ...undone,
    awaiting: z.enum(['deploy-answer', 'cancel', 'delete']),
    namespace: z.string().nullable(),
  })
  .transform(({ awaiting, namespace, ...rest }) => ({
    ...rest,
    removal: Removal.parse({ awaiting: awaiting === 'deploy-answer' ? 'answer' : awaiting, thing: namespace }),
  }));

const OtherPhase = z.discriminatedUnion('phase', [
  z.object({
    phase: z.literal('simulating'),
    wanted: EndpointSpec,
    /** The simulator's own workflow; its result can come before its answer. */
    simulator_id: z.string().nullable(),
    candidates: z.array(PlacementCandidate).nullable(),
  }),
  z.object({ phase: z.literal('looking-up'), wanted: EndpointSpec, ...placement }),
  z.object({
    phase: z.literal('reserving'),
    wanted: EndpointSpec,
    ...chosen,
    /** Further clusters, best first. */
    others: z.array(Option),
    /** The refusals of the clusters that were tried before, by name. */
    refusals: z.array(z.string()),
  }),
  z.object({ phase: z.literal('placing'), wanted: EndpointSpec, ...chosen }),
  z.object({
    phase: z.literal('deploying'),
    wanted: EndpointSpec,
    ...chosen,
    /** The cluster service's own workflow; its result can come before its answer. */
    service_workflow_id: z.string().nullable(),
  }),
  z.object({ phase: z.literal('recording'), wanted: EndpointSpec, ...chosen, namespace: z.string() }),
  /** The deployment was given up. A success that is reported later is undone. */
  z.object({
    phase: z.literal('over'),
    wanted: EndpointSpec,
    bud_cluster_id: z.string(),
    /** The namespace whose deletion was requested already. */
    namespace: z.string().nullable(),
  }),
]);
export const DeploymentState = z.union([OtherPhase, Undoing, UndoingBefore]);
export type DeploymentState = z.output<typeof DeploymentState>;
export type EndpointSpec = z.output<typeof EndpointSpec>;
export type In<Phase extends DeploymentState['phase']> = Extract<DeploymentState, { phase: Phase }>;
