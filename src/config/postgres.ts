import { z } from 'zod';
import { missingCompanions } from './companions.ts';
import type { Given } from './given.ts';
import { boolean, host, integer, masterKey } from './setting-kinds.ts';

/** The database, and the key that seals what is kept in it. */
export const PostgresSettings = z.object({
  POSTGRES_HOST: host.optional(),
  POSTGRES_PORT: integer(1, 65535).prefault('5432'),
  POSTGRES_USER: z.string().default('budapp'),
  POSTGRES_PASSWORD: z.string().optional(),
  POSTGRES_DB: z.string().default('budapp'),
  POSTGRES_SSL: boolean.prefault('false'),
  MASTER_KEY: masterKey.optional(),
});
type PostgresSettings = z.output<typeof PostgresSettings>;

const serverOf = (env: PostgresSettings) =>
  env.POSTGRES_HOST === undefined
    ? null
    : {
        host: env.POSTGRES_HOST,
        port: env.POSTGRES_PORT,
        user: env.POSTGRES_USER,
        password: env.POSTGRES_PASSWORD ?? '',
        database: env.POSTGRES_DB,
        ssl: env.POSTGRES_SSL,
      };

export const postgresOf = (env: PostgresSettings) => ({
  /** null: the embedded server. */
  postgres: serverOf(env),
  /** 32 bytes; null: generated into `data_dir`. */
  master_key: env.MASTER_KEY ?? null,
});

/** A generated master key would stay behind on this machine while the data lives on that server. */
export const postgresRules = (given: Given): string[] => missingCompanions(given, 'POSTGRES_HOST', ['MASTER_KEY']);
