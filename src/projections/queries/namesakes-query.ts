import { sql } from 'slonik';
import { z } from 'zod';
import type { TenantId } from '../../events/ids.ts';
import type { NameKind } from '../../events/name-events.ts';
import { formerNameKey, nameKey } from '../../events/name-key.ts';
import { readModelCatalog } from '../catalog.ts';
import type { ReadPool } from './read-pool.ts';

export type FindNamesakes = (claim: { kind: NameKind; name: string }, tenantId: TenantId) => Promise<readonly string[]>;

const Named = z.object({ id: z.uuid(), name: z.string() });

export const findNamesakes = async (
  pool: ReadPool,
  { kind, name }: { kind: NameKind; name: string },
  tenantId: TenantId,
): Promise<readonly string[]> => {
  const key = nameKey(name);
  const table = readModelCatalog.find(({ name_kind }) => name_kind === kind)?.name;
  if (table === undefined) throw new Error(`no read model knows the names of ${kind}s`);
  const rows = await pool.any(sql.type(Named)`
    select id, name from ${sql.identifier([table])}
    where tenant_id = ${tenantId} and name_key = ${key} and status <> 'deleted'
    order by created_at desc
  `);
  return rows.filter((row) => formerNameKey(row.name) !== key).map(({ id }) => id);
};
