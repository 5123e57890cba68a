-- Files that are being uploaded, and whose command has not ended yet. What a process leaves here when it is killed is
-- removed by another one, unless a model was made of it.

create table pending_uploads (
  key text primary key,
  -- The stream of the model that is to be made of it.
  stream text not null,
  -- The run of the process that receives it.
  owner text not null,
  started_at timestamptz not null default now()
);
