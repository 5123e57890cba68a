import { sql } from 'slonik';
import { z } from 'zod';
import { ProjectId, type TenantId, type UserId } from '../../events/ids.ts';
import { Role, Scope } from '../../events/values.ts';
import type { ReadPool } from './read-pool.ts';

/** What a user may do, as the read models know it. */
export interface UserAccess {
  role: Role;
  /** Given beyond the role, everywhere in the tenant. */
  scopes: readonly Scope[];
  /** By membership or ownership; deleted projects are left out. Empty for an admin, who needs none of it and may have thousands. */
  projects: readonly ProjectAccess[];
  status: 'active' | 'disabled';
  default_project_id: ProjectId;
}

export interface ProjectAccess {
  project_id: ProjectId;
  /** Those of a member; an owner has more, which `is_owner` stands for. */
  scopes: readonly Scope[];
  is_owner: boolean;
}

const AccessRow = z.object({
  role: Role,
  scopes: z.array(Scope),
  status: z.enum(['active', 'disabled']),
  default_project_id: ProjectId,
  projects: z.array(z.object({ project_id: ProjectId, scopes: z.array(Scope), is_owner: z.boolean() })),
});

/** In one statement, so that user and memberships are of the same moment. Null: not known (yet). */
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
    ), '[]') as projects
    from users
    where tenant_id = ${tenant_id} and id = ${user_id}::uuid
  `);
