-- What somebody with an SQL client may insert into the log by hand. A row of any shape is skipped; these would break what
-- BudApp appends after them, since positions and times are counted on from the newest row.
--
-- Not valid: rows of before are not looked at, which would take minutes on a long log.
alter table log_events add constraint log_events_countable check (
  position between 1 and 9999999999999999
  and at >= '0001-01-01 00:00:00+00' and at < '10000-01-01 00:00:00+00'
) not valid;
