import type { Actor } from '../events/event.ts';
import type { ProjectId, TenantId, UserId } from '../events/ids.ts';
import type { Role, Scope } from '../events/values.ts';

/** What somebody may do. */
export interface Access {
  role: Role;
  /** Given beyond the role, everywhere in the tenant. */
  scopes: ReadonlySet<Scope>;
  /** Given for single projects, by membership or ownership. */
  projects: ReadonlyMap<ProjectId, ReadonlySet<Scope>>;
}

/** Who asks, in whose name. Nothing can be read or done without one, so the tenant cannot be forgotten. */
export interface Caller {
  tenant_id: TenantId;
  actor: Actor;
  /** `system`: one of our own processes, or a service whose token was checked. */
  access: Access | 'system';
  /** The person; null for `system`. */
  user_id: UserId | null;
}

/** One of our own processes, or a service, on behalf of a tenant. */
export const systemCaller = (tenant_id: TenantId, actor: Actor): Caller => ({
  tenant_id,
  actor,
  access: 'system',
  user_id: null,
});

/** What a command or a read asks for: a scope, or `system` for what no person may ask. */
export type Permission = Scope | 'system';

/** What a role may do with what belongs to no project: models, clusters, users, and making a project. */
const ROLE_SCOPES: Readonly<Record<Role, readonly Scope[]>> = {
  admin: [],
  developer: [
    'model:manage',
    'project:manage',
    'cluster:view',
    'dataset:manage',
    'benchmark:manage',
    'endpoint:manage',
  ],
  viewer: ['model:view', 'project:view', 'cluster:view', 'dataset:view', 'benchmark:view', 'endpoint:view'],
};

/** What the owner of a project may do in it. */
export const OWNER_SCOPES: readonly Scope[] = [
  'project:manage',
  'endpoint:manage',
  'model:manage',
  'dataset:manage',
  'benchmark:manage',
];

const includes = (scopes: { has(scope: Scope): boolean }, wanted: Scope): boolean => {
  if (scopes.has(wanted)) return true;
  const [area, verb] = wanted.split(':');
  // Manage implies view.
  return verb === 'view' && scopes.has(`${area}:manage` as Scope);
};

/**
 * May the caller do this to what belongs to `projectId` (null: to no project)? An admin may do everything in the own
 * tenant. A role alone opens no project: that takes membership, or a scope given for the whole tenant.
 */
export const allows = (access: Access | 'system', wanted: Permission, projectId: ProjectId | null): boolean => {
  if (access === 'system') return true;
  if (wanted === 'system') return false;
  if (access.role === 'admin') return true;
  if (includes(access.scopes, wanted)) return true;
  if (projectId === null) return includes(new Set(ROLE_SCOPES[access.role]), wanted);
  const inProject = access.projects.get(projectId);
  return inProject !== undefined && includes(inProject, wanted);
};

/** The projects whose resources of this kind the caller may see; `all` where no filter is needed. */
export const visibleProjects = (access: Access | 'system', wanted: Scope): 'all' | readonly ProjectId[] => {
  if (access === 'system' || access.role === 'admin' || includes(access.scopes, wanted)) return 'all';
  return [...access.projects].filter(([, scopes]) => includes(scopes, wanted)).map(([projectId]) => projectId);
};
