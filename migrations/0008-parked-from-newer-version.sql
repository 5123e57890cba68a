-- What is parked only because this version could not read a fact that a newer one wrote: a newer one tries it again by
-- itself. Older code writes neither column.

alter table parked_events add column from_newer_version boolean not null default false;
alter table process_instances add column park_from_newer_version boolean not null default false;
