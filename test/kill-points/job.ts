import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { ADMIN } from '../e2e/budapp.ts';
import { MODEL_FILE } from '../e2e/deployment.ts';

/** Where BudApp serves now; it changes with each start. */
export interface Target {
  url(): string;
}

const Resource = z.looseObject({
  id: z.string(),
  status: z.string(),
  rollout: z.looseObject({ kind: z.string(), status: z.string() }).optional(),
});
type Resource = z.output<typeof Resource>;

const PATIENCE_MS = 150_000;
const PAUSE_MS = 100;

/** A client that repeats each request, with its idempotency key, until BudApp answers it: through kill and restart. */
const createPersistentClient = (target: Target) => {
  let token = '';

  const attempt = async (method: string, path: string, init: RequestInit): Promise<Response | null> => {
    const headers = new Headers(init.headers);
    headers.set('authorization', `Bearer ${token}`);
    const signal = AbortSignal.timeout(20_000);
    const answer = await fetch(new URL(path, target.url()), { ...init, method, headers, signal }).catch(() => null);
    if (answer?.status === 401) await login();
    const isToRepeat = answer === null || answer.status === 401 || answer.status === 429 || answer.status >= 500;
    // The killed request still holds its key for a while.
    return isToRepeat || answer.headers.has('retry-after') ? null : answer;
  };

  const persist = async <T>(what: string, work: () => Promise<T | null>): Promise<T> => {
    const end = Date.now() + PATIENCE_MS;
    while (Date.now() < end) {
      const done = await work();
      if (done !== null) return done;
      await sleep(PAUSE_MS);
    }
    throw new Error(`${what} was not done in ${PATIENCE_MS / 1000} s`);
  };

  const login = async (): Promise<void> => {
    const body = JSON.stringify({ email: ADMIN.email, password: ADMIN.password });
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(new URL('/auth/login', target.url()), { method: 'POST', headers, body }).catch(
      () => null,
    );
    if (answer?.ok) token = z.object({ access_token: z.string() }).parse(await answer.json()).access_token;
  };

  const request = async (method: string, path: string, init: () => RequestInit): Promise<Resource> => {
    const answer = await persist(`${method} ${path}`, () => attempt(method, path, init()));
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return Resource.parse(JSON.parse(text));
  };

  return {
    post: (path: string, key: string, body: object) =>
      request('POST', path, () => ({
        headers: { 'idempotency-key': key, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })),
    postForm: (path: string, key: string, form: () => FormData) =>
      request('POST', path, () => ({ headers: { 'idempotency-key': key }, body: form() })),
    delete: (path: string, key: string) => request('DELETE', path, () => ({ headers: { 'idempotency-key': key } })),
    /** Until the resource has one of these statuses; a deleted one is found, too. */
    until: (area: string, id: string, statuses: readonly string[]) =>
      persist(`${area} ${id} becomes ${statuses.join(' or ')}`, async () => {
        const answer = await attempt('GET', `/audit/${area}/${id}/state`, {});
        if (!answer?.ok) return null;
        const resource = Resource.parse(await answer.json());
        return statuses.includes(resource.status) ? resource : null;
      }),
    untilScaled: (id: string) =>
      persist(`endpoint ${id} is scaled`, async () => {
        const answer = await attempt('GET', `/endpoints/${id}`, {});
        if (!answer?.ok) return null;
        const resource = Resource.parse(await answer.json());
        return resource.rollout?.kind === 'scale' && resource.rollout.status !== 'running' ? resource : null;
      }),
    get: (path: string): Promise<unknown> =>
      persist(`GET ${path}`, async () => {
        const answer = await attempt('GET', path, {});
        return answer?.ok ? answer.json() : null;
      }),
  };
};
type PersistentClient = ReturnType<typeof createPersistentClient>;

const EventTypes = z.object({ items: z.array(z.object({ event_type: z.string() })) });

/**
 * What the cluster reports, and what follows from it: replicas die with the process that is killed, and are started again by
 * the next one.
 */
const FROM_REPORTS: ReadonlySet<string> = new Set([
  'EndpointReplicasReported',
  'EndpointDegraded',
  'EndpointRecovered',
  'EndpointBecameUnknown',
  'EndpointRepairRequested',
  'EndpointRepaired',
]);

/** The facts of a resource, in order, without those that follow from reports. */
const factsOf = async (client: PersistentClient, area: string, id: string): Promise<string[]> => {
  const answer = await client.get(`/audit/events?area=${area}&resource_id=${id}&limit=200&order=oldest-first`);
  return EventTypes.parse(answer)
    .items.map(({ event_type }) => event_type)
    .filter((type) => !FROM_REPORTS.has(type));
};

/** The main job: a model is uploaded, deployed and scaled, and everything is deleted. Answers what there is to see of it in the end. */
export const doJob = async (target: Target, name: string): Promise<unknown> => {
  const client = createPersistentClient(target);
  const file = new Blob([await readFile(MODEL_FILE)]);
  const upload = () => {
    const form = new FormData();
    form.set('name', name);
    form.set('file', file, 'model.onnx');
    return form;
  };
  const model = await client.postForm('/models/local', `${name}-upload`, upload);
  const onboarded = await client.until('model', model.id, ['active', 'failed']);
  const endpoint = await client.post('/endpoints', `${name}-deploy`, { name, model_id: model.id, replicas: 2 });
  const deployed = await client.until('endpoint', endpoint.id, ['running', 'failed', 'cancelled']);
  // A recount follows, by a timer.
  await client.post(`/endpoints/${endpoint.id}/scale`, `${name}-scale`, { replicas: 1 });
  await client.untilScaled(endpoint.id);
  // The replicas of a process that was killed come back.
  const scaled = await client.until('endpoint', endpoint.id, ['running', 'failed']);
  await client.delete(`/endpoints/${endpoint.id}`, `${name}-delete-endpoint`);
  const undeployed = await client.until('endpoint', endpoint.id, ['deleted']);
  await client.delete(`/models/${model.id}`, `${name}-delete-model`);
  const removed = await client.until('model', model.id, ['deleted']);
  return {
    statuses: [onboarded, deployed, scaled, undeployed, removed].map(({ status }) => status),
    model: await factsOf(client, 'model', model.id),
    endpoint: await factsOf(client, 'endpoint', endpoint.id),
  };
};
