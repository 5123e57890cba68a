-- Read models, what their runner must remember, and the leases that say which process works on what.

-- Who may write in the name of what. The token grows whenever the owner changes: a transaction that checks it cannot be
-- committed by an owner that was paused and has been replaced.
create table leases (
  name text primary key,
  owner text not null,
  token bigint not null,
  expires_at timestamptz not null
);

-- One row a read model. position is a checkpoint: everything up to it is in the table. Null: nothing yet.
create table projections (
  name text primary key,
  -- Of the reducer that made the rows that are served.
  version integer not null,
  -- Grows with each swap, so that a writer of the table that was swapped away notices.
  generation integer not null default 1,
  position text collate "C",
  rebuild_requested_at timestamptz(3),
  swapped_at timestamptz(3),
  updated_at timestamptz(3) not null default now()
);

-- The table <name>__v<version> that is built beside the one that serves, until it has caught up and is swapped in.
-- A row of its own, so that building never locks what the live writer needs.
create table projection_builds (
  name text primary key references projections (name),
  version integer not null,
  -- What the read model's generation will be after the swap.
  generation integer not null,
  position text collate "C",
  updated_at timestamptz(3) not null default now()
);

-- The first event of a stream that a read model could not take in. Later events of that stream wait: they are in the log,
-- and are folded when this one is retried or skipped.
create table parked_events (
  id bigint generated always as identity primary key,
  -- Name of the table: of the read model, or of what is built beside it.
  projection text not null,
  stream text collate "C" not null,
  tenant_id uuid not null,
  position text collate "C" not null,
  revision integer not null,
  event_id uuid not null,
  event_type text not null,
  error text not null,
  attempts integer not null,
  -- Later events of the stream that wait behind this one.
  waiting integer not null default 0,
  parked_at timestamptz(3) not null default now(),
  unique (projection, stream)
);

create table projects (
  id uuid primary key,
  tenant_id uuid not null,
  revision integer not null,
  position text collate "C" not null,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  name text not null,
  description text not null,
  tags jsonb not null,
  owner_id uuid not null,
  members jsonb not null,
  is_default boolean not null,
  status text not null
);
create index projects_by_age on projects (tenant_id, created_at, id);
create index projects_by_name on projects (tenant_id, name, id);
create index projects_by_owner on projects (owner_id);
create index projects_by_member on projects using gin (members);

create table models (
  id uuid primary key,
  tenant_id uuid not null,
  revision integer not null,
  position text collate "C" not null,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  name text not null,
  description text not null,
  tags jsonb not null,
  source text not null,
  repo_id text,
  artefact jsonb,
  metadata jsonb,
  workflow_id uuid not null,
  status text not null,
  reason jsonb,
  since timestamptz(3) not null,
  deadline timestamptz(3)
);
create index models_by_age on models (tenant_id, created_at, id);
create index models_by_name on models (tenant_id, name, id);
create index models_by_status on models (tenant_id, status);

create table clusters (
  id uuid primary key,
  tenant_id uuid not null,
  revision integer not null,
  position text collate "C" not null,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  name text not null,
  cluster_type text not null,
  ingress_url text not null,
  bud_cluster_id text,
  workflow_id uuid not null,
  nodes jsonb not null,
  reservations jsonb not null,
  capacity jsonb not null,
  status text not null,
  reason jsonb,
  since timestamptz(3) not null,
  deadline timestamptz(3)
);
create index clusters_by_age on clusters (tenant_id, created_at, id);
create index clusters_by_name on clusters (tenant_id, name, id);
create index clusters_by_status on clusters (tenant_id, status);
create index clusters_by_bud_cluster on clusters (bud_cluster_id);

create table endpoints (
  id uuid primary key,
  tenant_id uuid not null,
  revision integer not null,
  position text collate "C" not null,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  project_id uuid not null,
  project_name text not null,
  model_id uuid not null,
  model_name text not null,
  name text not null,
  status text not null,
  reason jsonb,
  since timestamptz(3) not null,
  deadline timestamptz(3),
  cluster_id uuid,
  cluster_name text,
  url text,
  namespace text,
  bud_cluster_id text,
  supported_endpoints jsonb not null,
  desired jsonb not null,
  observed jsonb,
  placement jsonb,
  rollout jsonb not null
);
create index endpoints_by_age on endpoints (tenant_id, created_at, id);
create index endpoints_by_name on endpoints (tenant_id, name, id);
create index endpoints_by_project on endpoints (project_id, created_at);
create index endpoints_by_model on endpoints (model_id);
create index endpoints_by_cluster on endpoints (cluster_id);
create index endpoints_by_namespace on endpoints (namespace);

create table workflows (
  id uuid primary key,
  tenant_id uuid not null,
  revision integer not null,
  position text collate "C" not null,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  kind text not null,
  target jsonb not null,
  project_id uuid,
  user_id uuid not null,
  status text not null,
  reason jsonb,
  since timestamptz(3) not null,
  deadline timestamptz(3),
  cancel_requested_at timestamptz(3),
  steps jsonb not null,
  progress double precision not null,
  eta timestamptz(3)
);
create index workflows_by_age on workflows (tenant_id, created_at, id);
create index workflows_by_project on workflows (project_id, created_at);
create index workflows_by_status on workflows (tenant_id, status);
create index workflows_by_target on workflows ((target ->> 'id'));

-- email and name are sealed; nothing here is readable without the user's key.
create table users (
  id uuid primary key,
  tenant_id uuid not null,
  revision integer not null,
  position text collate "C" not null,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  subject text not null,
  email text not null,
  name text not null,
  role text not null,
  scopes jsonb not null,
  default_project_id uuid not null,
  status text not null,
  since timestamptz(3) not null
);
create index users_by_age on users (tenant_id, created_at, id);

-- One row an event of the whole log.
create table audit_log (
  position text collate "C" primary key,
  tenant_id uuid not null,
  at timestamptz(3) not null,
  stream text collate "C" not null,
  area text not null,
  resource_id uuid,
  revision integer not null,
  event_id uuid not null,
  event_type text not null,
  command text not null,
  command_id uuid not null,
  actor_type text not null,
  actor_id text not null,
  actor_name text not null,
  correlation_id uuid not null,
  causation_id uuid,
  project_id uuid,
  data jsonb not null
);
-- Every event writes here, so only what people look for has an index of its own. The rest narrows a search by time,
-- which follows the order of the rows, or goes through the tenant's events from the newest on.
create index audit_log_by_tenant on audit_log (tenant_id, position);
create index audit_log_by_resource on audit_log (resource_id, position) where resource_id is not null;
create index audit_log_by_project on audit_log (project_id, position) where project_id is not null;
create index audit_log_by_actor on audit_log (actor_id, position);
create index audit_log_by_correlation on audit_log (correlation_id, position);
create index audit_log_by_time on audit_log using brin (at);
