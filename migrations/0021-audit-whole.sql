-- What of an event no other column of the audit holds: its version, and the metadata that nobody looks for. With it a row is
-- the whole event, and what a log has lost can be appended to it again. Null in rows that the release before wrote; the
-- audit is built anew for its new version.

alter table audit_log add column rest jsonb;

-- A healing that has begun to append. No BudApp starts until it is finished.
create table log_healing (
  only_row boolean primary key default true check (only_row),
  started_at timestamptz(3) not null default now()
);
