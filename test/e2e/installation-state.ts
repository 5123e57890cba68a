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

const listOf = async (client: Client, area: string): Promise<Row[]> => {
  const { body } = await client.get<{ items: Row[] }>(`/${area}?limit=200&sort=created_at`);
  return body.items;
};

export const stateOf = async (client: Client): Promise<InstallationState> => ({
  resources: Object.fromEntries(await Promise.all(AREAS.map(async (area) => [area, await listOf(client, area)]))),
  history: await wholeHistory(client),
});
