import type { Client } from '../../src/demo/client.ts';
import { type AuditedEvent, wholeHistory } from './deployment.ts';

type Row = Record<string, unknown> & { id: string };

/** What an installation shows of itself: every resource, and all that ever happened. */
export interface InstallationState {
  resources: Readonly<Record<string, readonly Row[]>>;
  history: readonly AuditedEvent[];
}

/** Endpoints and workflows apart: they go on by themselves. */
const AREAS = ['projects', 'models', 'clusters', 'users'] as const;

/** What a cluster holds goes on with the endpoints. */
const settledPart = ({ capacity, reservations, revision, position, updated_at, ...row }: Row): Row => row;

const listOf = async (client: Client, area: string, position: string | null): Promise<Row[]> => {
  const { body } = await client.getAt<{ items: Row[] }>(`/${area}?limit=200&sort=created_at`, position);
  return area === 'clusters' ? body.items.map(settledPart) : body.items;
};

export const stateOf = async (client: Client): Promise<InstallationState> => {
  const history = await wholeHistory(client);
  const position = history.at(-1)?.position ?? null;
  const lists = await Promise.all(AREAS.map(async (area) => [area, await listOf(client, area, position)]));
  return { resources: Object.fromEntries(lists), history };
};
