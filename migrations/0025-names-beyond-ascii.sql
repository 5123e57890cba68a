-- Names whose key may differ from that of the first releases (ADR 17): nearly all others are ASCII. The condition is that
-- of namesakes-query.ts.

create index projects_beyond_ascii on projects (tenant_id) where octet_length(name) <> char_length(name);
create index models_beyond_ascii on models (tenant_id) where octet_length(name) <> char_length(name);
create index clusters_beyond_ascii on clusters (tenant_id) where octet_length(name) <> char_length(name);
create index endpoints_beyond_ascii on endpoints (tenant_id) where octet_length(name) <> char_length(name);
