-- Which log is which. A position means something in one log only, so whoever keeps positions remembers whose they are.

-- The log in this database: made with it, never changed.
create table log_identity (
  only_row boolean primary key default true check (only_row),
  id uuid not null default gen_random_uuid(),
  created_at timestamptz(3) not null default now()
);
insert into log_identity default values;

-- The log that every position in this database is one of: those of checkpoints, of read models, and of what processes
-- remember. It may be another one than log_events. No row: nothing has been read yet.
create table checkpoint_log (
  only_row boolean primary key default true check (only_row),
  log_id uuid not null,
  adopted_at timestamptz(3) not null default now()
);

-- Until now there was no other log than the one beside the checkpoints.
insert into checkpoint_log (log_id)
select id from log_identity
where exists (select from projections where position is not null) or exists (select from process_checkpoints);
