import type { Caller } from '../../src/commands/access.ts';
import { findCommand } from '../../src/commands/catalog.ts';
import { ClusterId, CommandId, EndpointId, newId, ProjectId, TenantId, UserId } from '../../src/events/ids.ts';
import type { Resources } from '../../src/events/values.ts';
import { createProcesses } from '../../src/processes/catalog.ts';
import { clusters } from '../../src/projections/clusters.ts';
import { endpoints } from '../../src/projections/endpoints.ts';
import { models } from '../../src/projections/models.ts';
import { replay } from '../../src/projections/queries/replay.ts';
import { eventually } from '../eventually.ts';
import { openInstantServices } from './instant-services.ts';
import { openSystem } from './system.ts';

/** With very many at once on a slow machine, each waits long for its turn. */
const PLACEMENT_SECONDS = 900;

export interface ManyDeploymentsOptions {
  connection_string: string;
  /** Of the only node of the only cluster. */
  capacity: Resources;
  /** How many runners of the processes compete for the work. */
  runners?: number;
}

/** The real log, commands and processes, with services that answer at once, one model and one cluster with one node. */
export const openManyDeployments = async ({ connection_string, capacity, runners = 1 }: ManyDeploymentsOptions) => {
  const services = await openInstantServices({ capacity });
  const system = await openSystem({ connection_string, url: services.url });
  const tenant_id = newId(TenantId);
  const user_id = newId(UserId);
  services.connect(system, tenant_id);
  const processes = createProcesses({
    objectUri: (key) => `file:///objects/${key}`,
    placement_seconds: PLACEMENT_SECONDS,
  });
  const running = Array.from({ length: runners }, (_, n) => system.run(`runner-${n}`, processes));

  const caller: Caller = {
    tenant_id,
    actor: { type: 'user', id: user_id, name: 'somebody' },
    access: { role: 'admin', scopes: new Set(), projects: new Map() },
    user_id,
  };
  const perform = async (type: string, data: object): Promise<Record<string, unknown>> => {
    const command = findCommand(type);
    if (!command) throw new Error(`there is no command ${type}`);
    const command_id = newId(CommandId);
    const { id, state } = await system.handle(command, data, { caller, command_id, correlation_id: command_id });
    return { ...(state as object), id };
  };

  const project_id = ProjectId.parse((await perform('CreateProject', { name: 'demo' })).id);
  const model_id = String((await perform('RegisterCloudModel', { name: 'ocr', repo_id: 'org/ocr' })).id);
  const cluster = await perform('RegisterCluster', { name: 'local', configuration: 'kind: Config' });
  const cluster_id = ClusterId.parse(cluster.id);
  const shown = () => replay(clusters, system.log, { id: cluster_id });
  await eventually('the model and the cluster are there', async () => {
    const model = await replay(models, system.log, { id: model_id });
    return model?.status === 'active' && (await shown())?.status === 'available';
  });
  system.clusters.push({ cluster_id, bud_cluster_id: services.bud_cluster_id, name: 'local' });

  return {
    system,
    services,
    cluster_id,
    perform,
    /** The id of the endpoint. */
    deploy: async (name: string, { each, ...more }: { each: Resources; cluster_id?: ClusterId; replicas?: number }) =>
      EndpointId.parse(
        (await perform('DeployModel', { project_id, model_id, name, resources_per_replica: each, ...more })).id,
      ),
    /** The cluster and an endpoint as the API shows them. */
    shownCluster: shown,
    shownEndpoint: (id: EndpointId) => replay(endpoints, system.log, { id }),
    close: async () => {
      await services.settled();
      await Promise.all(running.map((runner) => runner.close()));
      await services.close();
      await system.close();
    },
  };
};
export type ManyDeployments = Awaited<ReturnType<typeof openManyDeployments>>;
