-- The version before goes on writing rows without it.
alter table notes add column is_pinned boolean not null default false;
