create table notes (
  id uuid primary key,
  tenant_id uuid not null,
  revision integer not null,
  position text collate "C" not null,
  created_at timestamptz(3) not null,
  updated_at timestamptz(3) not null,
  project_id uuid not null,
  name text not null,
  text text not null,
  status text not null,
  name_key text
);
create index notes_by_age on notes (tenant_id, created_at, id);
create index notes_by_name on notes (tenant_id, name, id);
create index notes_by_name_key on notes (tenant_id, name_key);
create index notes_by_project on notes (project_id, created_at);
