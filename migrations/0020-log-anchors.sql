-- Which event stands at a stored position. A log that was restored from an older backup grows over the old positions with
-- other events: only the event's id tells that a position is not of this history any more.

-- Null: not known, as in rows of before. Filled when the position moves next.
alter table projections add column event_id uuid;
alter table projection_builds add column event_id uuid;
alter table process_checkpoints add column event_id uuid;

-- A version of BudApp that does not know the column moves the position alone: the id would then be of another event, and
-- the log would be taken for a broken one.
create function forget_stale_event_id() returns trigger language plpgsql as $$
begin
  new.event_id := null;
  return new;
end
$$;

create trigger projections_stale_event_id before update on projections for each row
  when (new.position is distinct from old.position and new.event_id is not distinct from old.event_id)
  execute function forget_stale_event_id();
create trigger projection_builds_stale_event_id before update on projection_builds for each row
  when (new.position is distinct from old.position and new.event_id is not distinct from old.event_id)
  execute function forget_stale_event_id();
create trigger process_checkpoints_stale_event_id before update on process_checkpoints for each row
  when (new.position is distinct from old.position and new.event_id is not distinct from old.event_id)
  execute function forget_stale_event_id();

-- Events that a process has read or appended itself, and that it then did not find in the log any more: no checkpoint had
-- reached them. While one of them is missing, the log is fenced, after a restart, too.
create table log_anchors (
  position text collate "C" primary key,
  event_id uuid not null,
  stream text collate "C" not null,
  noted_at timestamptz(3) not null default now()
);
