import { sql } from 'slonik';
import { z } from 'zod';
import { Position } from '../../events/event.ts';
import { ProjectId, type TenantId, type UserId } from '../../events/ids.ts';
import { Role, Scope } from '../../events/values.ts';
import type { ReadPool } from './read-pool.ts';

/** The permissions of a user, from the read models. */
export interface UserAccess {
  role: Role;
  /** Scopes granted in addition to the role, for the whole tenant. */
  scopes: readonly Scope[];
  /**
   * Access by membership or ownership, without deleted projects. Empty for an admin, who does not need it and may have
   * thousands.
   */
  projects: readonly ProjectAccess[];
  status: 'active' | 'disabled';
  default_project_id: ProjectId;
  /** Whether the default project has ever been made; it may be deleted since then. */
  has_default_project: boolean;
  /** What the identity provider said last of the role; null where the audit does not have it yet. */
  provider_role: ProviderRole | null;
  /** All events up to this position are part of it; null where the read models have none yet. */
  as_of: Position | null;
}

export interface ProviderRole {
  role: Role;
  /** RFC 3339; null for the role of the first login. */
  issued_at: string | null;
}

export interface ProjectAccess {
  project_id: ProjectId;
  /** The scopes as a member; `is_owner` adds those of an owner. */
  scopes: readonly Scope[];
  is_owner: boolean;
}

const AccessRow = z.object({
  role: Role,
  scopes: z.array(Scope),
  status: z.enum(['active', 'disabled']),
  default_project_id: ProjectId,
  has_default_project: z.boolean(),
  provider_role: z.object({ role: Role, issued_at: z.iso.datetime().nullable() }).nullable(),
  projects: z.array(z.object({ project_id: ProjectId, scopes: z.array(Scope), is_owner: z.boolean() })),
  as_of: Position.nullable(),
});

/**
 * One statement, so that user, memberships and position are from the same moment. Null where the user is not in the read model,
 * or not yet.
 */
export const findAccess = (
  pool: ReadPool,
  { tenant_id, user_id }: { tenant_id: TenantId; user_id: UserId },
): Promise<UserAccess | null> =>
  pool.maybeOne(sql.type(AccessRow)`
    select role, scopes, status, default_project_id, coalesce((
      select jsonb_agg(jsonb_build_object(
        'project_id', p.id,
        'scopes', coalesce(p.members -> ${user_id}, '[]'),
        'is_owner', p.owner_id = ${user_id}::uuid
      ) order by p.created_at, p.id)
      from projects p
      where users.role <> 'admin' and p.tenant_id = ${tenant_id} and p.status <> 'deleted'
        and (p.owner_id = ${user_id}::uuid or p.members ? ${user_id})
    ), '[]') as projects, exists (
      select from projects where tenant_id = ${tenant_id} and id = users.default_project_id
    ) as has_default_project, (
      select jsonb_build_object('role', data ->> 'role', 'issued_at', data ->> 'issued_at') from audit_log
      where resource_id = ${user_id}::uuid and event_type in ('UserRegistered', 'UserProviderRoleChanged')
      order by position desc limit 1
    ) as provider_role, (
      select case when count(position) = 2 then min(position) end from projections where name in ('users', 'projects')
    ) as as_of
    from users
    where tenant_id = ${tenant_id} and id = ${user_id}::uuid
  `);
