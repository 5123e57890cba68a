-- When a cluster service last proved what it says of a cluster or an endpoint: an answer to whoever watches, or a message.
-- A restart reads from it how old the last proof is. It is not in the log, which would grow with every answer.

create table status_proofs (
  area text not null check (area in ('cluster', 'endpoint')),
  id uuid not null,
  proven_at timestamptz not null,
  -- Grows with every proof: who has seen the number before knows of a new proof without comparing clocks.
  proofs bigint not null default 1,
  primary key (area, id)
);
