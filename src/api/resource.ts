import { z } from 'zod';
import { Rejected } from '../errors.ts';
import type { Area } from '../events/catalog.ts';
import { Position } from '../events/event.ts';
import { isSealed, type Sealed } from '../events/sealed.ts';
import { SealedUnreadable } from '../ports/vault.ts';
import { ClusterRow, clusters } from '../projections/clusters.ts';
import { EndpointRow, endpoints } from '../projections/endpoints.ts';
import { ModelRow, models } from '../projections/models.ts';
import type { Projection, RowStamp } from '../projections/projection.ts';
import { ProjectRow, projects } from '../projections/projects.ts';
import { UserRow, users } from '../projections/users.ts';
import { WorkflowRow, workflows } from '../projections/workflows.ts';
import type { ApiServices } from './services.ts';

// biome-ignore lint/suspicious/noExplicitAny: rows and facts are existential where all read models are handled alike.
export type AnyProjection = Projection<any, any>;
/** A row of any read model. */
export type AnyRow = Readonly<Record<string, unknown>> & RowStamp;

/** How the API shows one area: its read model, and the schema of an answer. */
export interface Resource {
  /** Name of its schema in the OpenAPI document. */
  title: string;
  area: Area;
  /** The path of the collection: `/projects`. */
  path: string;
  projection: AnyProjection;
  schema: z.ZodType;
}

const stamp = {
  id: z.uuid(),
  tenant_id: z.uuid(),
  /** The number of the last event in the resource's stream; also the ETag. */
  revision: z.int().min(0),
  position: Position,
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
};

/** The workflow to follow, in the answer to a command that started one. */
const Following = { workflow_id: z.uuid().optional() };

/** Ids of other services are internal: the API does not show them. */
const withoutServiceIds = { bud_cluster_id: true } as const;

export const resources: Readonly<Record<Area, Resource>> = {
  project: {
    title: 'Project',
    area: 'project',
    path: '/projects',
    projection: projects,
    schema: ProjectRow.extend(stamp),
  },
  model: {
    title: 'Model',
    area: 'model',
    path: '/models',
    projection: models,
    schema: ModelRow.extend(stamp),
  },
  cluster: {
    title: 'Cluster',
    area: 'cluster',
    path: '/clusters',
    projection: clusters,
    schema: ClusterRow.omit(withoutServiceIds).extend(stamp),
  },
  endpoint: {
    title: 'Endpoint',
    area: 'endpoint',
    path: '/endpoints',
    projection: endpoints,
    schema: EndpointRow.omit(withoutServiceIds).extend({ ...stamp, ...Following }),
  },
  workflow: {
    title: 'Workflow',
    area: 'workflow',
    path: '/workflows',
    projection: workflows,
    schema: WorkflowRow.extend({ ...stamp, ...Following }),
  },
  user: {
    title: 'User',
    area: 'user',
    path: '/users',
    projection: users,
    // The row has the sealed texts, the answer the opened ones; null once the person has been erased.
    schema: UserRow.extend({ ...stamp, email: z.string().nullable(), name: z.string().nullable() }),
  },
};

/**
 * The clear text, for a caller who may see it; null once its subject was erased. What cannot be opened stays sealed: one
 * event of somebody else's must not take a whole page with it.
 */
export const unseal = async (sealed: Sealed, { vault }: Pick<ApiServices, 'vault'>): Promise<string | null> => {
  try {
    return await vault.open(sealed);
  } catch (error) {
    if (error instanceof SealedUnreadable) return '(sealed)';
    throw error;
  }
};

/** Opens the sealed texts of a row, for a caller who may see it. */
export const unsealRow = async (
  row: AnyRow,
  services: Pick<ApiServices, 'vault'>,
): Promise<Record<string, unknown>> => {
  const { bud_cluster_id: _theirs, ...fields } = row;
  const entries = Object.entries(fields);
  if (!entries.some(([, value]) => isSealed(value))) return fields;
  const opened = await Promise.all(
    entries.map(async ([name, value]) => [name, isSealed(value) ? await unseal(value, services) : value] as const),
  );
  return Object.fromEntries(opened);
};

export const etagOf = ({ revision }: { revision: number }): string => `"${revision}"`;

/** The same error for a resource that does not exist and one that the caller may not see. */
export const resourceNotFound = ({ area }: Resource, id: string): Rejected =>
  new Rejected('not-found', `${area}-not-found`, `No ${area} ${id}.`);
