import type { Actor } from '../events/event.ts';
import type { ProjectId, TenantId, UserId } from '../events/ids.ts';
import { type Role, Scope, type ScopeArea, type ScopeVerb } from '../events/values.ts';

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

interface Grants {
  /** By the role, of what belongs to no project, and making a project. An admin needs none. */
  developer: ScopeVerb | null;
  viewer: ScopeVerb | null;
  /** To the owner of a project, of what belongs to it. */
  owner: ScopeVerb | null;
}

/** What is given without anybody giving it; the compiler asks a new area of scopes. */
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

/** What the owner of a project may do in it. */
export const OWNER_SCOPES: readonly Scope[] = scopesOf('owner');

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
  if (projectId === null) return includes(ROLE_SCOPES[access.role], wanted);
  const inProject = access.projects.get(projectId);
  return inProject !== undefined && includes(inProject, wanted);
};

/** The projects whose resources of this kind the caller may see; `all` where no filter is needed. */
export const visibleProjects = (access: Access | 'system', wanted: Scope): 'all' | readonly ProjectId[] => {
  if (access === 'system' || access.role === 'admin' || includes(access.scopes, wanted)) return 'all';
  return [...access.projects].filter(([, scopes]) => includes(scopes, wanted)).map(([projectId]) => projectId);
};
