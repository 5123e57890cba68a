import { v7 } from 'uuid';
import type { z } from 'zod';
import { definitionOf, type Fact, streamOf } from '../../src/events/catalog.ts';
import type { NewEvent, Position } from '../../src/events/event.ts';
import {
  ClusterId,
  CommandId,
  EndpointId,
  EventId,
  ModelId,
  ProjectId,
  TenantId,
  UserId,
  WorkflowId,
} from '../../src/events/ids.ts';
import { Sealed } from '../../src/events/sealed.ts';
import type { Log } from '../../src/ports/log.ts';

export const fresh = <Schema extends z.ZodType>(schema: Schema): z.output<Schema> => schema.parse(v7());

export const TENANT = fresh(TenantId);
export const OWNER = fresh(UserId);
const LATER = '2030-01-01T00:00:00.000Z';

/** The fact as an event that somebody's command made; what the event's schema refuses is refused here too. */
export const anEvent = ({ type, data }: Fact, { tenant_id = TENANT } = {}): NewEvent => {
  const definition = definitionOf(type);
  return {
    id: fresh(EventId),
    type,
    version: definition.version,
    data: definition.data.parse(data),
    meta: {
      tenant_id,
      command_id: fresh(CommandId),
      command: `Make${type}`,
      correlation_id: fresh(CommandId),
      causation_id: null,
      actor: { type: 'user', id: OWNER, name: 'sealed:1:x:a:b:c' },
    },
  };
};

export interface Started {
  stream: string;
  id: string;
  append(...facts: Fact[]): Promise<Position>;
}

const started = async (log: Log, stream: string, first: Fact): Promise<Started> => {
  await log.append(stream, [anEvent(first)], { expected: 'none' });
  return {
    stream,
    id: stream.slice(stream.indexOf('-') + 1),
    append: async (...facts) => {
      const { position } = await log.append(
        stream,
        facts.map((fact) => anEvent(fact)),
        { expected: 'any' },
      );
      return position;
    },
  };
};

export const endpointRequested = (given: Partial<Extract<Fact, { type: 'EndpointRequested' }>['data']> = {}): Fact => ({
  type: 'EndpointRequested',
  data: {
    endpoint_id: fresh(EndpointId),
    project_id: fresh(ProjectId),
    project_name: 'Vision',
    model_id: fresh(ModelId),
    model_name: 'reader',
    model_source: { kind: 'artefact', object_key: 'models/a', size_bytes: 7 },
    name: 'reader',
    cluster_id: null,
    bud_cluster_id: null,
    replicas: 2,
    resources_per_replica: { cpu_millis: 250, memory_mib: 200 },
    deploy_config: { concurrency: 1, input_tokens: 1024, output_tokens: 128 },
    workflow_id: fresh(WorkflowId),
    deadline: LATER,
    ...given,
  },
});

export const startEndpoint = (log: Log, given: Parameters<typeof endpointRequested>[0] = {}): Promise<Started> => {
  const endpoint_id = given.endpoint_id ?? fresh(EndpointId);
  return started(log, streamOf('endpoint', endpoint_id), endpointRequested({ ...given, endpoint_id }));
};

export const startProject = (
  log: Log,
  given: Partial<Extract<Fact, { type: 'ProjectCreated' }>['data']> = {},
): Promise<Started> => {
  const project_id = given.project_id ?? fresh(ProjectId);
  const data = { name: 'Vision', description: '', tags: [], owner_id: OWNER, is_default: false, ...given, project_id };
  return started(log, streamOf('project', project_id), { type: 'ProjectCreated', data });
};

export const startWorkflow = (
  log: Log,
  given: Partial<Extract<Fact, { type: 'WorkflowStarted' }>['data']> = {},
): Promise<Started> => {
  const workflow_id = given.workflow_id ?? fresh(WorkflowId);
  const data = {
    kind: 'endpoint-deployment' as const,
    target: { area: 'endpoint' as const, id: fresh(EndpointId), name: 'reader' },
    project_id: null,
    user_id: OWNER,
    steps: [
      { id: 'ranking', title: 'Rank' },
      { id: 'deploy', title: 'Deploy' },
    ],
    deadline: LATER,
    ...given,
    workflow_id,
  };
  return started(log, streamOf('workflow', workflow_id), { type: 'WorkflowStarted', data });
};

export const startCluster = (log: Log): Promise<Started> => {
  const cluster_id = fresh(ClusterId);
  return started(log, streamOf('cluster', cluster_id), {
    type: 'ClusterRegistrationRequested',
    data: {
      cluster_id,
      name: 'home',
      cluster_type: 'ON_PREM',
      ingress_url: '',
      configuration: Sealed.parse('sealed:1:cluster:aa:bb:cc'),
      workflow_id: fresh(WorkflowId),
      deadline: LATER,
    },
  });
};

export const startUser = (log: Log, user_id = fresh(UserId)): Promise<Started> =>
  started(log, streamOf('user', user_id), {
    type: 'UserRegistered',
    data: {
      user_id,
      subject: 'kim',
      email: Sealed.parse('sealed:1:user:aa:bb:cc'),
      name: Sealed.parse('sealed:1:user:aa:bb:dd'),
      role: 'developer',
      default_project_id: fresh(ProjectId),
    },
  });

export const reported = (endpoint_id: EndpointId, available: number): Fact => ({
  type: 'EndpointReplicasReported',
  data: {
    endpoint_id,
    replicas: { total: 2, available, failed: 0, pending: 0 },
    ingress_healthy: true,
    workers: [{ name: 'w0', status: 'Running', node_name: 'n1', device_name: null }],
  },
});
