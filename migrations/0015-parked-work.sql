-- Commands and calls that keep failing wait for an operator: they are not given up before `give_up_at`. Older code writes
-- none of these columns, and attempts parked work again when it is due.

alter table process_intents
  add column parked_at timestamptz,
  -- The last failures, oldest first: [{ at, error }].
  add column failures jsonb not null default '[]',
  -- An operator has skipped it: it is given up, and the workflow is told so.
  add column skipped boolean not null default false;

create index process_intents_parked on process_intents (parked_at) where parked_at is not null and done_at is null;
