-- For the pruning of what processes need no more: see src/processes/prune.ts.

create index process_intents_done on process_intents (done_at) where done_at is not null;
create index process_instances_spent on process_instances (ended_at) where ended_at is not null and state is not null;
