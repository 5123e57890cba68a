-- The key of a name: NFKC and case folding, as uniqueness compares names. The read models fill it when they are built anew
-- for their new versions; the version before writes rows without it.

alter table projects add column name_key text;
create index projects_by_name_key on projects (tenant_id, name_key);
alter table models add column name_key text;
create index models_by_name_key on models (tenant_id, name_key);
alter table clusters add column name_key text;
create index clusters_by_name_key on clusters (tenant_id, name_key);
alter table endpoints add column name_key text;
create index endpoints_by_name_key on endpoints (tenant_id, name_key);
