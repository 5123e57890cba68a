import { eventually } from './client.ts';
import { frameShower } from './show-frame.ts';
import type { EndpointView, Say, Story } from './story.ts';

const REPLICAS = 2;
const WORKFLOW_ENDS = /workflow-(succeeded|failed|cancelled)$/;

interface WorkerView {
  name: string;
  status: string;
  pid?: number;
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const readEndpoint = async (story: Story, position: string | null): Promise<EndpointView> =>
  (await story.client.getAt<EndpointView>(`/endpoints/${story.endpoint.id}`, position)).body;

const pidsOf = async (story: Story): Promise<number[]> => {
  const { body } = await story.client.get<{ items: WorkerView[] }>(`/endpoints/${story.endpoint.id}/workers`);
  return body.items.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
};

export const deploy = async (story: Story, say: Say): Promise<void> => {
  const { body: accepted } = await story.client.post<EndpointView>('/endpoints', {
    name: `text-direction-${story.run}`,
    project_id: story.project.id,
    model_id: story.model.id,
    replicas: REPLICAS,
  });
  story.endpoint = accepted;
  const resources = [accepted.id, accepted.workflow_id ?? accepted.id];
  const last = await story.stream.until(resources, ({ type }) => WORKFLOW_ENDS.test(type), frameShower(say));
  story.endpoint = await readEndpoint(story, last.position);
  const { status, reason, url, observed } = story.endpoint;
  if (status !== 'running' || !url)
    throw new Error(`the endpoint is ${status}: ${reason?.message ?? 'no reason given'}`);
  story.replicaPids = await pidsOf(story);
  if (story.replicaPids.length !== REPLICAS)
    throw new Error(`${story.replicaPids.length} replicas run, not ${REPLICAS}`);
  say(
    `running at ${url}: ${observed?.replicas.available}/${observed?.replicas.total} replicas, processes ${story.replicaPids.join(', ')}`,
  );
};

/** The model's input, a 48 x 192 image with values from -1 to 1: here a grey gradient. */
const anImage = ({ channels = 3, height = 48, width = 192 } = {}): number[] =>
  Array.from({ length: channels * height * width }, (_, index) => ((index % width) / width) * 2 - 1);

interface InferenceAnswer {
  model_name: string;
  outputs: { name: string; datatype: string; shape: number[]; data: number[] }[];
}

export const infer = async (story: Story, say: Say): Promise<void> => {
  const input = story.model.metadata?.inputs[0];
  if (!input || !story.endpoint.url) throw new Error('the model names no input');
  const body = { inputs: [{ name: input.name, datatype: input.datatype, shape: [1, 3, 48, 192], data: anImage() }] };
  const started = performance.now();
  const response = await fetch(`${story.endpoint.url}/v2/models/${story.endpoint.name}/infer`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(20_000),
  });
  const latency = performance.now() - started;
  if (!response.ok) throw new Error(`the endpoint answered ${response.status}: ${await response.text()}`);
  const { outputs } = (await response.json()) as InferenceAnswer;
  const [upright = 0, turned = 0] = outputs[0]?.data ?? [];
  if (Math.abs(upright + turned - 1) > 0.01) throw new Error(`${upright} and ${turned} are not probabilities`);
  say(
    `answer: upright ${(upright * 100).toFixed(1)} %, upside down ${(turned * 100).toFixed(1)} % - in ${latency.toFixed(1)} ms`,
  );
  story.timings.push({ name: 'one inference through the endpoint', ms: latency });

  const endpoint = await readEndpoint(story, null);
  story.remembered = { position: endpoint.position, endpoint };
};

export const killReplica = async (story: Story, say: Say): Promise<void> => {
  const [victim] = story.replicaPids;
  if (victim === undefined) throw new Error('there is no replica to kill');
  story.stream.forget();
  const killedAt = performance.now();
  process.kill(victim, 'SIGKILL');
  say(`process ${victim} is killed behind the platform's back`);
  const show = frameShower(say);
  await story.stream.until([story.endpoint.id], ({ type }) => type.endsWith('endpoint-degraded'), show);
  const noticed = performance.now() - killedAt;
  const last = await story.stream.until(
    [story.endpoint.id],
    ({ type }) => type.endsWith('endpoint-recovered'),
    () => {},
  );
  const { status, observed } = await readEndpoint(story, last.position);
  say(`${status} again by itself: ${observed?.replicas.available}/${observed?.replicas.total} replicas`);
  story.timings.push({ name: 'loss of a replica noticed after', ms: noticed });
  story.timings.push({ name: 'recovered after', ms: performance.now() - killedAt });
  story.replicaPids = await pidsOf(story);
};

export const remove = async (story: Story, say: Say): Promise<void> => {
  story.stream.forget();
  const { body } = await story.client.delete<EndpointView>(`/endpoints/${story.endpoint.id}`);
  const resources = [story.endpoint.id, body.workflow_id ?? story.endpoint.id];
  const last = await story.stream.until(resources, ({ type }) => WORKFLOW_ENDS.test(type), frameShower(say));
  // The deleted endpoint is not found any more, but its state and history can still be read.
  const state = `/audit/endpoint/${story.endpoint.id}/state`;
  story.endpoint = (await story.client.getAt<EndpointView>(state, last.position)).body;
  if (story.endpoint.status !== 'deleted') throw new Error(`the endpoint is ${story.endpoint.status}, not deleted`);
  await eventually('the processes of the replicas end', async () => (story.replicaPids.some(isAlive) ? null : true));
  say(`processes ${story.replicaPids.join(', ')} have ended`);
};
