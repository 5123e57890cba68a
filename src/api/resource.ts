import { z } from 'zod';
import { type Access, allows } from '../commands/access.ts';
import { Rejected } from '../errors.ts';
import type { Area } from '../events/catalog.ts';
import { Position } from '../events/event.ts';
import { ProjectId } from '../events/ids.ts';
import { isSealed } from '../events/sealed.ts';
import { Scope } from '../events/values.ts';
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

/** What the API shows of one area: its read model, who may see it, and the shape of an answer. */
export interface Resource {
  /** Name of its schema in the OpenAPI document. */
  title: string;
  area: Area;
  /** Where its items are: `/projects`. */
  path: string;
  projection: AnyProjection;
  schema: z.ZodType;
  /** What a caller needs to see the row, and in which project. */
  seenWith(row: AnyRow): { scope: Scope; project: ProjectId | null };
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

const InProject = ProjectId.nullable().catch(null);
const projectIn = (row: AnyRow): ProjectId | null => InProject.parse(row.project_id);
const inTenant = (scope: Scope) => () => ({ scope, project: null });

/** The services' own ids stay inside: the API speaks ours. */
const withoutServiceIds = { bud_cluster_id: true } as const;

export const resources: Readonly<Record<Area, Resource>> = {
  project: {
    title: 'Project',
    area: 'project',
    path: '/projects',
    projection: projects,
    schema: ProjectRow.extend(stamp),
    seenWith: (row) => ({ scope: 'project:view', project: ProjectId.parse(row.id) }),
  },
  model: {
    title: 'Model',
    area: 'model',
    path: '/models',
    projection: models,
    schema: ModelRow.extend(stamp),
    seenWith: inTenant('model:view'),
  },
  cluster: {
    title: 'Cluster',
    area: 'cluster',
    path: '/clusters',
    projection: clusters,
    schema: ClusterRow.omit(withoutServiceIds).extend(stamp),
    seenWith: inTenant('cluster:view'),
  },
  endpoint: {
    title: 'Endpoint',
    area: 'endpoint',
    path: '/endpoints',
    projection: endpoints,
    schema: EndpointRow.omit(withoutServiceIds).extend({ ...stamp, ...Following }),
    seenWith: (row) => ({ scope: 'endpoint:view', project: projectIn(row) }),
  },
  workflow: {
    title: 'Workflow',
    area: 'workflow',
    path: '/workflows',
    projection: workflows,
    schema: WorkflowRow.extend({ ...stamp, ...Following }),
    seenWith: (row) => {
      const target = WorkflowRow.shape.target.parse(row.target);
      return { scope: Scope.parse(`${target.area}:view`), project: projectIn(row) };
    },
  },
  user: {
    title: 'User',
    area: 'user',
    path: '/users',
    projection: users,
    // Sealed in the row, clear in the answer; null once the person was erased.
    schema: UserRow.extend({ ...stamp, email: z.string().nullable(), name: z.string().nullable() }),
    seenWith: inTenant('user:view'),
  },
};

/** Everybody may see themselves. */
const isSelf = (resource: Resource, row: AnyRow, userId: string): boolean =>
  resource.area === 'user' && row.id === userId;

export const maySee = (
  resource: Resource,
  row: AnyRow,
  caller: { access: Access | 'system'; user_id: string | null },
) => {
  if (caller.user_id !== null && isSelf(resource, row, caller.user_id)) return true;
  const { scope, project } = resource.seenWith(row);
  return allows(caller.access, scope, project);
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
