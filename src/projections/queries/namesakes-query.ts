import { LRUCache } from 'lru-cache';
import { sql } from 'slonik';
import { z } from 'zod';
import type { TenantId } from '../../events/ids.ts';
import type { NameKind } from '../../events/name-events.ts';
import { formerNameKey, nameKey } from '../../events/name-key.ts';
import { readModelCatalog } from '../catalog.ts';
import type { ReadPool } from './read-pool.ts';

export type FindNamesakes = (claim: { kind: NameKind; name: string }, tenantId: TenantId) => Promise<readonly string[]>;

const Named = z.object({ id: z.uuid(), name: z.string() });
const Found = z.object({ found: z.literal(true) });

/** How long the answer holds whether a tenant has such names: the read models are behind by as much at times. */
const KEEP_MS = 1000;
const MAX_ANSWERS = 10_000;

/** The two keys of an ASCII name are the same, so only others can have been reserved under another key. */
const BEYOND_ASCII = sql.fragment`octet_length(name) <> char_length(name)`;

const tableOf = (kind: NameKind) => {
  const table = readModelCatalog.find(({ name_kind }) => name_kind === kind)?.name;
  if (table === undefined) throw new Error(`no read model knows the names of ${kind}s`);
  return sql.identifier([table]);
};

/** Finds those that hold a name with the same key, which the first releases reserved under another key. */
export const createFindNamesakes = (pool: ReadPool): FindNamesakes => {
  const answers = new LRUCache<string, Promise<boolean>>({ max: MAX_ANSWERS, ttl: KEEP_MS });

  const askWhetherAny = (kind: NameKind, tenantId: TenantId): Promise<boolean> =>
    pool
      .maybeOne(sql.type(Found)`
        select true as found from ${tableOf(kind)}
        where tenant_id = ${tenantId} and ${BEYOND_ASCII} and status <> 'deleted' limit 1
      `)
      .then((row) => row !== null);

  /** Concurrent requests share a query; one that failed answers nobody later. */
  const hasAny = (kind: NameKind, tenantId: TenantId): Promise<boolean> => {
    const key = `${kind} ${tenantId}`;
    const known = answers.get(key);
    if (known) return known;
    const asked = askWhetherAny(kind, tenantId);
    answers.set(key, asked);
    asked.catch(() => answers.delete(key));
    return asked;
  };

  return async ({ kind, name }, tenantId) => {
    if (!(await hasAny(kind, tenantId))) return [];
    const key = nameKey(name);
    const rows = await pool.any(sql.type(Named)`
      select id, name from ${tableOf(kind)}
      where tenant_id = ${tenantId} and name_key = ${key} and ${BEYOND_ASCII} and status <> 'deleted'
      order by created_at desc
    `);
    return rows.filter((row) => formerNameKey(row.name) !== key).map(({ id }) => id);
  };
};
