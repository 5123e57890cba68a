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
  /** All events up to this position are part of it; null where the read models have none yet. */
  as_of: Position | null;
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
    ), '[]') as projects, (
      select case when count(position) = 2 then min(position) end from projections where name in ('users', 'projects')
    ) as as_of
    from users
    where tenant_id = ${tenant_id} and id = ${user_id}::uuid
  `);
