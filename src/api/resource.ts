import { z } from 'zod';
import { Rejected } from '../errors.ts';
import type { Area } from '../events/catalog.ts';
import { Position } from '../events/event.ts';
import { isSealed } from '../events/sealed.ts';
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

/** What the API shows of one area: its read model, and the shape of an answer. */
export interface Resource {
  /** Name of its schema in the OpenAPI document. */
  title: string;
  area: Area;
  /** Where its items are: `/projects`. */
  path: string;
  projection: AnyProjection;
  schema: z.ZodType;
}

const stamp = {
  id: z.uuid(),
  tenant_id: z.uuid(),
  /** Also the ETag. */
  revision: z.int().min(0),
  position: Position,
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
};

/** In the answer to a write that set a process in motion: the workflow to follow. */
const Following = { workflow_id: z.uuid().optional() };

/** The services' own ids stay inside: the API speaks ours. */
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
    // Sealed in the row, clear in the answer; null once the person was erased.
    schema: UserRow.extend({ ...stamp, email: z.string().nullable(), name: z.string().nullable() }),
  },
};

/** Sealed texts are opened only here, where they are about to be shown to somebody who may see the row. */
export const shown = async (row: AnyRow, { vault }: Pick<ApiServices, 'vault'>): Promise<Record<string, unknown>> => {
  const { bud_cluster_id: _theirs, ...fields } = row;
  const entries = Object.entries(fields);
  if (!entries.some(([, value]) => isSealed(value))) return fields;
  const opened = await Promise.all(
    entries.map(async ([name, value]) => [name, isSealed(value) ? await vault.open(value) : value] as const),
  );
  return Object.fromEntries(opened);
};

export const etagOf = ({ revision }: { revision: number }): string => `"${revision}"`;

/** What is not there, and what the caller may not see, are answered alike. */
export const noSuch = ({ area }: Resource, id: string): Rejected =>
  new Rejected('not-found', `${area}-not-found`, `No ${area} ${id}.`);
