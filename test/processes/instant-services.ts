import { systemCaller } from '../../src/commands/access.ts';
import { recordServiceMessage } from '../../src/commands/workflow/internal/record-service-message.ts';
import { CommandId, newId, type TenantId, WorkflowId } from '../../src/events/ids.ts';
import type { Resources } from '../../src/events/values.ts';
import { openServiceDouble, type ServiceDouble } from './service-double.ts';
import type { System } from './system.ts';

const BUD_CLUSTER_ID = 'bud-1';

const deploymentOf = (workflow_id: string, total: number) => ({
  namespace: `bud-${workflow_id}`,
  result: { deployment_url: `http://127.0.0.1:9000/${workflow_id}` },
  deployment_status: {
    status: 'ready',
    ingress_health: true,
    replicas: { total, available: total, failed: 0, pending: 0 },
    worker_data_list: [],
  },
});

interface Result {
  type: string;
  result: unknown;
}

const numberIn = (body: string, field: string): number => Number(new RegExp(`"${field}":(\\d+)`).exec(body)?.[1] ?? 1);

const resultOf = (path: string, workflow_id: string, { body, node }: { body: string; node: object }): Result | null => {
  switch (path) {
    case '/cluster':
      return { type: 'register_cluster', result: { id: BUD_CLUSTER_ID, nodes: [node] } };
    case '/simulator/run': {
      const recommendations = [{ cluster_id: BUD_CLUSTER_ID, metrics: {} }];
      return { type: 'get_cluster_recommendations', result: { recommendations } };
    }
    case '/deployment':
      return { type: 'deploy_model', result: deploymentOf(workflow_id, numberIn(body, 'min_replicas')) };
    case '/deployment/delete':
      return { type: 'delete_deployment', result: null };
    default:
      return null;
  }
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
  const sending = new Set<Promise<unknown>>();
  let send: ((workflow_id: string, result: Result) => Promise<unknown>) | undefined;

  service.answer = ({ path, body }) => {
    const [, workflow_id] = /"workflow_id":"([^"]+)"/.exec(body) ?? [];
    if (workflow_id === undefined) return { status: 200, body: { model_info: {} } };
    const result = resultOf(path, workflow_id, { body, node });
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
