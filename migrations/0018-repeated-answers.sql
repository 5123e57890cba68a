-- Answers that cannot be made twice (a refresh token or a code is used up by the first request), for those who ask again
-- because the first answer was lost.
--
-- id is a hash of what was asked with; the answer is encrypted with a key that follows from it, so that only who has the
-- used-up secret can read it. answer is null while the first request runs, until locked_until at the latest.
create table repeated_answers (
  id text primary key,
  answer text,
  -- The id under which the answer itself would be asked with: it is forgotten at its logout.
  leads_to text,
  locked_until timestamptz not null,
  expires_at timestamptz not null
);
create index repeated_answers_by_expiry on repeated_answers (expires_at);
create index repeated_answers_by_leads_to on repeated_answers (leads_to) where leads_to is not null;
