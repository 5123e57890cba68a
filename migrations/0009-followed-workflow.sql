-- The workflow that an instance follows at present, where its id is not the workflow's but that of the endpoint or cluster
-- that it looks after. Older code neither reads nor writes it, and its own instances go on by their ids.

alter table process_instances add column workflow_id uuid;
create index process_instances_by_workflow on process_instances (workflow_id) where workflow_id is not null;
