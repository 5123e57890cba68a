import type { Actor } from '../events/event.ts';
import type { ProjectId, TenantId, UserId } from '../events/ids.ts';
import { type Role, Scope, type ScopeArea, type ScopeVerb } from '../events/values.ts';

/** The permissions of a user. */
export interface Access {
  role: Role;
  /** Scopes granted in addition to the role, for the whole tenant. */
  scopes: ReadonlySet<Scope>;
  /** Scopes per project, from membership or ownership. */
  projects: ReadonlyMap<ProjectId, ReadonlySet<Scope>>;
}

/** Who sends a request, and for which tenant. Every read and command takes a caller, so none can ignore the tenant. */
export interface Caller {
  tenant_id: TenantId;
  actor: Actor;
  /** `system`: a process of BudApp, or a service whose token was verified. */
  access: Access | 'system';
  /** The user; null for `system`. */
  user_id: UserId | null;
}

/** The caller for a process of BudApp, or for a service, on behalf of a tenant. */
export const systemCaller = (tenant_id: TenantId, actor: Actor): Caller => ({
  tenant_id,
  actor,
  access: 'system',
  user_id: null,
});

/** What a command or a read requires: a scope, or `system` where no user may send it. */
export type Permission = Scope | 'system';

interface Grants {
  /** The verb that the role has on resources without a project, and for creating a project. An admin needs none. */
  developer: ScopeVerb | null;
  viewer: ScopeVerb | null;
  /** The verb that the owner of a project has in the project. */
  owner: ScopeVerb | null;
}

/** The scopes that come with a role or with ownership. The compiler requires an entry for a new area of scopes. */
const GRANTS: Readonly<Record<ScopeArea, Grants>> = {
  project: { developer: 'manage', viewer: 'view', owner: 'manage' },
  endpoint: { developer: 'manage', viewer: 'view', owner: 'manage' },
  model: { developer: 'manage', viewer: 'view', owner: 'manage' },
  dataset: { developer: 'manage', viewer: 'view', owner: 'manage' },
  benchmark: { developer: 'manage', viewer: 'view', owner: 'manage' },
  cluster: { developer: 'view', viewer: 'view', owner: null },
  user: { developer: null, viewer: null, owner: null },
};

const scopesOf = (whom: keyof Grants): Scope[] =>
  Object.entries(GRANTS).flatMap(([area, { [whom]: verb }]) => (verb ? [Scope.parse(`${area}:${verb}`)] : []));

const ROLE_SCOPES: Readonly<Record<Role, ReadonlySet<Scope>>> = {
  admin: new Set(),
  developer: new Set(scopesOf('developer')),
  viewer: new Set(scopesOf('viewer')),
};

/** The scopes of a project's owner in the project. */
export const OWNER_SCOPES: readonly Scope[] = scopesOf('owner');

const includes = (scopes: { has(scope: Scope): boolean }, required: Scope): boolean => {
  if (scopes.has(required)) return true;
  const [area, verb] = required.split(':');
  // Manage implies view.
  return verb === 'view' && scopes.has(`${area}:manage` as Scope);
};

/**
 * Whether the access includes the scope for the project `projectId`, or for resources without a project (null). An
 * admin may do everything in the own tenant. A role alone gives no access to a project: that takes membership, or a
 * scope for the whole tenant.
 */
export const allows = (access: Access | 'system', required: Permission, projectId: ProjectId | null): boolean => {
  if (access === 'system') return true;
  if (required === 'system') return false;
  if (access.role === 'admin') return true;
  if (includes(access.scopes, required)) return true;
  if (projectId === null) return includes(ROLE_SCOPES[access.role], required);
  const inProject = access.projects.get(projectId);
  return inProject !== undefined && includes(inProject, required);
};

/** The projects whose resources the scope gives access to; `all` where no filter is needed. */
export const visibleProjects = (access: Access | 'system', required: Scope): 'all' | readonly ProjectId[] => {
  if (access === 'system' || access.role === 'admin' || includes(access.scopes, required)) return 'all';
  return [...access.projects].filter(([, scopes]) => includes(scopes, required)).map(([projectId]) => projectId);
};
