import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

const SCHEMA = `
  create table if not exists users (
    id text primary key,
    email text not null unique,
    name text not null,
    role text not null,
    password_hash text not null,
    created_at text not null
  ) strict;
  create table if not exists artefacts (
    kind text not null,
    id text not null,
    payload text not null,
    grant_id text,
    uid text,
    user_code text,
    expires_at integer,
    primary key (kind, id)
  ) strict;
  create index if not exists artefacts_by_grant on artefacts (grant_id) where grant_id is not null;
  create index if not exists artefacts_by_uid on artefacts (kind, uid) where uid is not null;
  create index if not exists artefacts_by_expiry on artefacts (expires_at) where expires_at is not null;
`;

/**
 * The local provider's own store: users, grants, sessions and refresh tokens, in one file that only its owner can
 * read. It is a stand-in's store and is deliberately not in BudApp's Postgres, where Keycloak keeps nothing either.
 */
export const openIdentityDatabase = (directory: string): DatabaseSync => {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, 'identity.db');
  const database = new DatabaseSync(file, { timeout: 5000 });
  chmodSync(file, 0o600);
  // Full synchronisation: an issued refresh token must survive a power cut.
  database.exec('pragma journal_mode = wal; pragma synchronous = full;');
  database.exec(SCHEMA);
  return database;
};
