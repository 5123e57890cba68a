-- Keys of the vault and access tokens that were revoked before their time.

-- One row a subject (a user, a cluster, a credential). wrapped_key is the subject's AES-256 key, encrypted under the
-- master key: version (1 byte), iv (12), tag (16), ciphertext (32). Null: the key was erased, and the row stays as a
-- tombstone so that the subject can never be given another key.
create table subject_keys (
  subject text primary key,
  wrapped_key bytea,
  created_at timestamptz not null default now(),
  erased_at timestamptz,
  check ((wrapped_key is null) = (erased_at is not null))
);

-- Access tokens that are refused although they have not expired: one by its id, or (token_id is session:<id>) all that a
-- session was given up to issued_until. A row may go once the tokens have expired.
create table revoked_tokens (
  token_id text primary key,
  expires_at timestamptz not null,
  issued_until timestamptz,
  revoked_at timestamptz not null default clock_timestamp()
);

create index revoked_tokens_by_revoked_at on revoked_tokens (revoked_at);
create index revoked_tokens_by_expires_at on revoked_tokens (expires_at);
