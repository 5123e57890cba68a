-- What the API remembers of the `Idempotency-Key`s that it was given.

-- The key leads to the command id, and that to the events: the answer itself is not kept, it is made again from them.
-- locked_until is null once the request has ended. A row
-- whose lock has expired was left by a process that died: the request is performed again with the same command id.
create table idempotency_keys (
  tenant_id uuid not null,
  user_id uuid not null,
  key text not null,
  command_id uuid not null,
  request_hash text not null,
  locked_until timestamptz,
  created_at timestamptz not null default now(),
  primary key (tenant_id, user_id, key)
);

create index idempotency_keys_by_created_at on idempotency_keys (created_at);
