-- Queries: what searches go by, who looked at what, and answers that are kept for a while only.

-- A client's or a case's documents by date; both serve also where no date is asked. And a search by dates alone.
CREATE INDEX document_client_date ON document (client, authored_date);
DROP INDEX document_client;
CREATE INDEX document_case_date ON document (case_id, authored_date);
DROP INDEX document_case;
CREATE INDEX document_date ON document (authored_date);
DROP INDEX document_authored;

-- Of a search and of what it showed: the organisation that asked, the person and the client as keyed hashes, and by which criteria.
ALTER TABLE access_log ADD COLUMN organisation text;
ALTER TABLE access_log ADD COLUMN person bytea;
ALTER TABLE access_log ADD COLUMN client bytea;
ALTER TABLE access_log ADD COLUMN detail text;

-- The ledger position of an answer to a query that has not left yet: until then it is kept.
ALTER TABLE outbox ADD COLUMN query_position bigint;
CREATE INDEX outbox_query ON outbox (query_position) WHERE query_position IS NOT NULL;
-- Answers to queries that are still kept (standing 5 = answered).
CREATE INDEX inbox_answered ON inbox (decided_at) WHERE standing = 5 AND answer IS NOT NULL;
