-- What a person has in hand is the id of the request: from the answer, an error, or the person's own log.

alter table audit_log add column request_id text;
create index audit_log_by_request on audit_log (request_id, position) where request_id is not null;
