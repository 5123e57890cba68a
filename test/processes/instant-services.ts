import { systemCaller } from '../../src/commands/access.ts';
import { recordServiceMessage } from '../../src/commands/workflow/internal/record-service-message.ts';
import { CommandId, newId, type TenantId, WorkflowId } from '../../src/events/ids.ts';
import type { Resources } from '../../src/events/values.ts';
import { openServiceDouble, type ServiceDouble } from './service-double.ts';
import type { System } from './system.ts';

const BUD_CLUSTER_ID = 'bud-1';

interface Result {
  type: string;
  result: unknown;
}

const textIn = (body: string, field: string): string | undefined => new RegExp(`"${field}":"([^"]+)"`).exec(body)?.[1];
const numberIn = (body: string, field: string): number => Number(new RegExp(`"${field}":(\\d+)`).exec(body)?.[1] ?? 1);

/** The deployments of the cluster, and what it reports about them. */
const createDeployments = () => {
  const workers = new Map<string, string[]>();
  let made = 0;

  const listOf = (namespace: string) =>
    (workers.get(namespace) ?? []).map((name) => ({ id: name, name, status: 'Running', node_name: 'n1' }));
  const add = (namespace: string, count: number) => {
    const more = Array.from({ length: count }, () => `${namespace}-${++made}`);
    workers.set(namespace, [...(workers.get(namespace) ?? []), ...more]);
    const worker_data_list = listOf(namespace);
    const total = worker_data_list.length;
    return {
      namespace,
      result: { deployment_url: `http://127.0.0.1:9000/${namespace}` },
      deployment_status: {
        status: 'ready',
        ingress_health: true,
        replicas: { total, available: total, failed: 0, pending: 0 },
        worker_data_list,
      },
    };
  };
  return {
    listOf,
    deploy: (workflow_id: string, body: string): Result => {
      const namespace = textIn(body, 'existing_deployment_namespace');
      if (namespace !== undefined) return { type: 'add_worker', result: add(namespace, numberIn(body, 'concurrency')) };
      return { type: 'deploy_model', result: add(`bud-${workflow_id}`, numberIn(body, 'min_replicas')) };
    },
    remove: (body: string): Result => {
      workers.delete(textIn(body, 'namespace') ?? '');
      return { type: 'delete_deployment', result: null };
    },
    removeWorker: (body: string): Result => {
      const gone = textIn(body, 'worker_id');
      for (const [namespace, names] of workers)
        workers.set(
          namespace,
          names.filter((name) => name !== gone),
        );
      return { type: 'delete_worker', result: { worker_data_list: null } };
    },
  };
};

export interface InstantServices extends Pick<ServiceDouble, 'url' | 'asked' | 'close'> {
  bud_cluster_id: string;
  /** From here on the results reach the processes of this system. */
  connect(system: Pick<System, 'handle'>, tenant_id: TenantId): void;
  /** Resolves when all results that were sent so far are recorded. */
  settled(): Promise<void>;
}

/** A model service, a simulator and a cluster service that accept everything and send each result with their answer. */
export const openInstantServices = async ({ capacity }: { capacity: Resources }): Promise<InstantServices> => {
  const service = await openServiceDouble();
  const node = { name: 'n1', status: 'Ready', devices: [], capacity };
  const deployments = createDeployments();
  const sending = new Set<Promise<unknown>>();
  let send: ((workflow_id: string, result: Result) => Promise<unknown>) | undefined;

  const resultOf = (path: string, workflow_id: string, body: string): Result | null => {
    switch (path) {
      case '/cluster':
        return { type: 'register_cluster', result: { id: BUD_CLUSTER_ID, nodes: [node] } };
      case '/simulator/run':
        return {
          type: 'get_cluster_recommendations',
          result: { recommendations: [{ cluster_id: BUD_CLUSTER_ID, metrics: {} }] },
        };
      case '/deployment':
        return deployments.deploy(workflow_id, body);
      case '/deployment/delete':
        return deployments.remove(body);
      case '/deployment/worker-info':
        return deployments.removeWorker(body);
      default:
        return null;
    }
  };

  service.answer = ({ path, body }) => {
    const workflow_id = textIn(body, 'workflow_id');
    if (workflow_id === undefined) {
      const namespace = new URL(path, service.url).searchParams.get('namespace');
      return { status: 200, body: { model_info: {}, workers: deployments.listOf(namespace ?? '') } };
    }
    const result = resultOf(path, workflow_id, body);
    if (result && send) {
      const sent = send(workflow_id, result);
      sending.add(sent);
      void sent.finally(() => sending.delete(sent));
    }
    return { status: 200, body: { workflow_id: `theirs-${workflow_id}` } };
  };

  return {
    url: service.url,
    asked: service.asked,
    close: service.close,
    bud_cluster_id: BUD_CLUSTER_ID,
    connect({ handle }, tenant_id) {
      const caller = systemCaller(tenant_id, { type: 'service', id: 'budcluster', name: 'budcluster' });
      send = (workflow_id, { type, result }) => {
        const command_id = newId(CommandId);
        const message = { message_id: 'm', message_event: 'results', status: 'COMPLETED', message_type: type, result };
        const data = { workflow_id: WorkflowId.parse(workflow_id), ...message };
        return handle(recordServiceMessage, data, { caller, command_id, correlation_id: command_id });
      };
    },
    async settled() {
      while (sending.size > 0) await Promise.all(sending);
    },
  };
};
