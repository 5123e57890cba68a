import { setTimeout as sleep } from 'node:timers/promises';
import type { PatientClient } from './patient-client.ts';

/** A deployment that BudApp accepted, and what became of it. */
export interface Deployment {
  name: string;
  id: string;
  /** The first final state that it was seen in. */
  outcome: string | null;
  reason: string | null;
  deleted: boolean;
}

const TRANSIENT = new Set(['pending', 'placing', 'deploying', 'updating', 'deleting']);
const LOOK_AGAIN_MS = 250;

/**
 * Deploys, waits for the end, deletes, waits for the end, and begins again, in some lanes at once, until it is told to stop;
 * whatever was begun is brought to its end.
 */
export const startTraffic = (client: PatientClient, about: { project_id: string; model_id: string; lanes: number }) => {
  const deployments: Deployment[] = [];
  let stopping = false;
  let count = 0;

  /** Reads at least as fresh as the answer of the write before. */
  const settled = async (
    id: string,
    position: string,
  ): Promise<{ status: string; reason: { code: string } | null }> => {
    for (;;) {
      const { status, body } = await client.request('GET', `/audit/endpoint/${id}/state?min_position=${position}`);
      if (status !== 200) throw new Error(`endpoint ${id} was accepted, and reading it answers ${status}`);
      if (!TRANSIENT.has(body.status)) return body;
      await sleep(LOOK_AGAIN_MS);
    }
  };

  const accepted = async (name: string): Promise<Deployment & { position: string }> => {
    const { project_id, model_id } = about;
    const reply = await client.request('POST', '/endpoints', { name, project_id, model_id, replicas: 1 });
    if (reply.status !== 202)
      throw new Error(`POST /endpoints answered ${reply.status}: ${JSON.stringify(reply.body)}`);
    const deployment = { name, id: reply.body.id as string, outcome: null, reason: null, deleted: false };
    deployments.push(deployment);
    return Object.assign(deployment, { position: reply.headers.get('position') ?? '' });
  };

  const remove = async (deployment: Deployment & { position: string }): Promise<void> => {
    // A deletion that failed in the middle of an outage ends in a final state, too, and may be asked for again.
    for (;;) {
      const { status, headers } = await client.request('DELETE', `/endpoints/${deployment.id}`);
      if (status !== 202 && status !== 409) throw new Error(`DELETE answered ${status}`);
      const state = await settled(deployment.id, headers.get('position') ?? deployment.position);
      if (state.status === 'deleted') break;
      await sleep(LOOK_AGAIN_MS);
    }
    deployment.deleted = true;
  };

  const runLane = async (): Promise<void> => {
    while (!stopping) {
      count += 1;
      const deployment = await accepted(`chaos-${count}`);
      const { status, reason } = await settled(deployment.id, deployment.position);
      deployment.outcome = status;
      deployment.reason = reason?.code ?? null;
      await remove(deployment);
    }
  };

  const lanes = Promise.all(Array.from({ length: about.lanes }, runLane));
  // Whoever stops it hears of what went wrong.
  lanes.catch(() => undefined);
  return {
    deployments,
    /** No new ones; resolves when all have ended. Throws what broke a promise of BudApp. */
    async stop(): Promise<void> {
      stopping = true;
      await lanes;
    },
  };
};
