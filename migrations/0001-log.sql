-- The append-only log: one row an event, positions in the order of commits.
--
-- Appends go through append_to_log() alone. It takes one lock for the whole log, so positions become visible in the
-- order in which they were given out: a reader that asks for "position > what I have" can never miss an event.

create table log_events (
  position bigint primary key,
  id uuid not null unique,
  -- "C": prefixes are compared byte by byte, the same in every locale.
  stream text collate "C" not null check (stream <> ''),
  revision integer not null check (revision >= 0),
  type text collate "C" not null,
  version integer not null,
  -- json, not jsonb: the log never looks inside, keeps what it was given, and reads faster without decoding it.
  data json not null,
  meta json not null,
  at timestamptz(3) not null,
  unique (stream, revision)
);

create function refuse_log_change() returns trigger language plpgsql as $$
begin
  raise exception 'the log is append-only: % refused', lower(tg_op) using errcode = 'restrict_violation';
end
$$;

create trigger log_events_no_change
  before update or delete or truncate on log_events
  for each statement execute function refuse_log_change();

-- Whether a stream's actual revision (null: no such stream) is the expected one: a revision, or -1 no such stream, -2 the
-- stream exists, -3 anything.
create function is_expected(expected integer, actual integer) returns boolean language sql immutable
  return expected = -3 or (expected = -2 and actual is not null) or expected = coalesce(actual, -1);

-- Appends a batch: any number of appends, each to a stream of its own, in one transaction. An append that conflicts is
-- answered so and leaves the others alone.
--
-- append_*: one entry an append; append_expected as in is_expected().
-- event_*: one entry an event, in the order of the appends. event_append is the number of its append, from 1 on.
--
-- outcome: 'appended', 'repeated' (all ids already stand in the stream; revision, position and at are those of the
-- first time), 'conflict' (revision is the actual one, null where the stream has no events), 'ids-taken' (some of the ids stand
-- in the log already, but not all of them in this stream).
--
-- Notifies the channel log_events once, with the newest position.
create function append_to_log(
  append_stream text[],
  append_expected integer[],
  append_size integer[],
  event_append integer[],
  event_id uuid[],
  event_type text[],
  event_version integer[],
  event_data json[],
  event_meta json[]
) returns table (outcome text, revision integer, "position" bigint, at timestamptz)
language plpgsql
-- Plans are made once a connection, perhaps while the log is still empty: never let one scan it.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  last_position bigint;
  last_at timestamptz(3);
  actual integer;
begin
  perform pg_advisory_xact_lock(hashtextextended('log_events', 0));

  select newest.position, newest.at into last_position, last_at
    from log_events newest order by newest.position desc limit 1;
  last_position := coalesce(last_position, 0);
  -- The clock may be set back; the log's time does not go back with it.
  last_at := greatest(clock_timestamp(), last_at);

  -- A lone append of new events, the common case on a quiet system, needs none of the bookkeeping below: a quarter faster.
  if cardinality(append_stream) = 1 and not exists (select from log_events l where l.id = any (event_id)) then
    select max(l.revision) into actual from log_events l where l.stream = append_stream[1];
    if is_expected(append_expected[1], actual) then
      insert into log_events (position, id, stream, revision, type, version, data, meta, at)
      select last_position + e.n, e.id, append_stream[1], coalesce(actual, -1) + e.n, e.type, e.version, e.data, e.meta, last_at
      from unnest(event_id, event_type, event_version, event_data, event_meta)
        with ordinality as e (id, type, version, data, meta, n);
      position := last_position + append_size[1];
      perform pg_notify('log_events', position::text);
      return query select 'appended', coalesce(actual, -1) + append_size[1], position, last_at;
    else
      return query select 'conflict', actual, null::bigint, null::timestamptz;
    end if;
    return;
  end if;

  return query
  with event as (
    select * from unnest(event_append, event_id, event_type, event_version, event_data, event_meta)
      with ordinality as e (append, id, type, version, data, meta, n)
  ), known as (
    select e.append, count(*) filter (where l.stream = append_stream[e.append]) as here,
      max(l.revision) as revision, max(l.position) as position, max(l.at) as at
    -- Looked up one by one: a plan made while the log was nearly empty would go through all of it for every batch.
    from event e
    cross join lateral (select k.stream, k.revision, k.position, k.at from log_events k where k.id = e.id offset 0) l
    group by e.append
  ), checked as (
    select a.n, a.stream, a.size, a.expected, known.here, known.revision, known.position, known.at,
      (select max(l.revision) from log_events l where l.stream = a.stream) as actual
    from unnest(append_stream, append_expected, append_size) with ordinality as a (stream, expected, size, n)
    left join known on known.append = a.n
  ), decided as (
    select c.*,
      case
        when c.here = c.size then 'repeated'
        when c.here is not null then 'ids-taken'
        when is_expected(c.expected, c.actual) then 'appended'
        else 'conflict'
      end as outcome
    from checked c
  ), placed as (
    select d.*, last_position + sum(d.size) filter (where d.outcome = 'appended') over (order by d.n) as last
    from decided d
  ), inserted as (
    insert into log_events (position, id, stream, revision, type, version, data, meta, at)
    select last_position + row_number() over (order by e.n), e.id, d.stream,
      coalesce(d.actual, -1) + row_number() over (partition by e.append order by e.n),
      e.type, e.version, e.data, e.meta, last_at
    from event e join decided d on d.n = e.append
    where d.outcome = 'appended'
    order by e.n
  )
  select p.outcome,
    case p.outcome when 'appended' then coalesce(p.actual, -1) + p.size when 'repeated' then p.revision else p.actual end,
    case p.outcome when 'appended' then p.last::bigint when 'repeated' then p.position end,
    case p.outcome when 'appended' then last_at when 'repeated' then p.at end
  from placed p order by p.n;

  perform pg_notify('log_events', newest.position::text)
    from (select max(l.position) as position from log_events l) newest
    where newest.position > last_position;
end
$$;
