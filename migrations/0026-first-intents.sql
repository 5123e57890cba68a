-- With many workflows in flight most open intents wait for an earlier one of their instance. A claim looks only at the first
-- ones, so that its cost does not grow with the others. Older code neither reads nor writes the column: what it inserts
-- counts as first, and the claim checks that; what it leaves behind as not first is found within seconds.

alter table process_intents
  -- False: when it was stored, an earlier one of its instance and lane was open.
  add column is_first boolean not null default true;

create index process_intents_first on process_intents (due_at, id) where done_at is null and is_first;
drop index process_intents_due;

-- Room on each page for the row as claimed, which then needs no new entries in the indexes.
alter table process_intents set (fillfactor = 70);
alter table process_instances set (fillfactor = 70);

-- Claims up to `most` intents that are due and first in their lane: those of the given lanes, in which the caller has just
-- ended an intent, and others, the oldest first. What another transaction holds is passed over.
create function claim_intents(
  claimer text,
  most integer,
  claim_ms integer,
  ended_process text[],
  ended_instance uuid[],
  ended_lane text[]
) returns setof process_intents
language sql
-- What is open differs from one moment to the next, so the planner's statistics say little about it: never let it read all
-- open intents and sort them. A plan that is kept may be from when the table was empty.
set plan_cache_mode = force_custom_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set enable_incremental_sort = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
  with next as (
    select c.id from process_intents c
    -- Collected first, so that no plan goes through all open intents and asks for each whether it is one of them.
    where c.id = any (array(
        select (
          select e.id from process_intents e
          where e.process = l.process and e.instance_id = l.instance_id and e.lane = l.lane and e.done_at is null
          order by e.id limit 1
        )
        from unnest(ended_process, ended_instance, ended_lane) as l (process, instance_id, lane)
      ))
      and c.done_at is null and c.due_at <= now() and (c.claimed_until is null or c.claimed_until <= now())
    for update skip locked
  ), first as (
    select c.id from process_intents c
    where c.is_first and c.done_at is null and c.due_at <= now()
      and (c.claimed_until is null or c.claimed_until <= now())
      and c.id = (
        select e.id from process_intents e
        where e.process = c.process and e.instance_id = c.instance_id and e.lane = c.lane and e.done_at is null
        order by e.id limit 1
      )
    order by c.due_at, c.id
    limit most
    for update skip locked
  )
  update process_intents i set claimed_by = claimer, claimed_until = now() + claim_ms * interval '1 ms'
  from (select id from next union all select id from first limit most) due
  where i.id = due.id
  returning i.*
$$;
