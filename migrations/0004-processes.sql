-- Process managers: what each instance remembers, what it asked for, its timers, and how far the log was read.
--
-- One transaction moves all four on, so a crash leaves either none or all of a reaction behind.

-- One row an instance; instance_id is the workflow's id, or the id of whatever else the process follows.
create table process_instances (
  process text not null,
  instance_id uuid not null,
  tenant_id uuid not null,
  -- Null while the very first event of the instance is parked.
  state jsonb,
  -- Position of the last event that the state has taken in. "C": positions sort as plain text.
  position text collate "C",
  ended_at timestamptz,
  -- Set while an event that the process cannot digest, and all later ones of the instance, wait in process_parked_events.
  parked_at timestamptz,
  park_error text,
  park_attempts integer not null default 0,
  park_retry_at timestamptz,
  primary key (process, instance_id)
);

create index process_instances_by_instance on process_instances (instance_id);
create index process_instances_parked on process_instances (park_retry_at) where parked_at is not null;

create table process_parked_events (
  process text not null,
  instance_id uuid not null,
  position text collate "C" not null,
  event jsonb not null,
  primary key (process, instance_id, position),
  foreign key (process, instance_id) references process_instances on delete cascade
);

-- What is to be performed outside any transaction. Rows stay when they are done: replayed events find them and ask no more.
create table process_intents (
  id bigint generated always as identity primary key,
  process text not null,
  instance_id uuid not null,
  tenant_id uuid not null,
  -- Null where the process follows something that is no workflow: then nobody is told what came of it.
  workflow_id uuid,
  event_id uuid not null,
  n integer not null,
  -- Within one lane of one instance, strictly one after the other. Timers have a lane of their own: they must not wait
  -- behind a call that is being retried.
  lane text not null check (lane in ('deeds', 'timers')),
  intent jsonb not null,
  -- correlation_id, traceparent
  meta jsonb not null,
  -- Null: after a number of attempts.
  give_up_at timestamptz,
  attempts integer not null default 0,
  due_at timestamptz not null default now(),
  claimed_by text,
  claimed_until timestamptz,
  done_at timestamptz,
  outcome text,
  last_error text,
  unique (process, event_id, n)
);

create index process_intents_open on process_intents (process, instance_id, lane, id) where done_at is null;
create index process_intents_due on process_intents (due_at) where done_at is null;

create table process_timers (
  process text not null,
  instance_id uuid not null,
  timer text not null,
  tenant_id uuid not null,
  event_id uuid not null,
  n integer not null,
  meta jsonb not null,
  due_at timestamptz not null,
  primary key (process, instance_id, timer)
);

create index process_timers_due on process_timers (due_at);

create table process_checkpoints (
  reader text primary key,
  position text collate "C" not null,
  updated_at timestamptz not null default now()
);
