-- The logs in the chain, and the disclosure log. Personal values stand here only sealed; what is searched by is a keyed hash.

-- What an entry says of the log rows that it brings (how many, and the SHA-256 of their octets), and the earlier entry that it speaks of.
ALTER TABLE ledger ADD COLUMN log_rows bigint;
ALTER TABLE ledger ADD COLUMN log bytea;
ALTER TABLE ledger ADD COLUMN about bigint;

ALTER TABLE access_log ADD COLUMN query_id text;
ALTER TABLE access_log ADD COLUMN client_sealed bytea;
ALTER TABLE access_log ADD COLUMN person_sealed bytea;
-- A client's own request, and a controller's month: rows lie in the order of their time, so a few octets for each range of pages do for the latter.
CREATE INDEX access_log_client ON access_log (client, at) WHERE client IS NOT NULL;
CREATE INDEX access_log_at ON access_log USING brin (at) WITH (pages_per_range = 32);

-- What was disclosed to whom, why and by which rule: one row a document, a search or a disclosure outside the archive. Append-only.
CREATE TABLE disclosure_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    position bigint NOT NULL,          -- the ledger entry that brought it, which has the message's hash
    at bigint NOT NULL,                -- when it was recorded
    kind bigint NOT NULL,              -- 1 document, 2 search, 3 outside the archive
    disclosed_at bigint,               -- outside the archive: when it was disclosed
    controller text NOT NULL,
    register_type text,
    client bytea,
    client_sealed bytea,
    document_id text,
    set_id text,
    general_type text,
    specific_type text,
    service_task text,
    discloser_kind text NOT NULL,
    discloser text,
    discloser_person bytea,
    discloser_sealed bytea,
    recipient_kind text NOT NULL,
    recipient text,
    recipient_person bytea,
    recipient_sealed bytea,
    purpose text,
    service_request text,
    query_id text,
    basis text NOT NULL,
    rule text,
    section text,
    informing text,
    permission text,
    denials text NOT NULL,
    notice text,
    detail text
);
CREATE INDEX disclosure_log_position ON disclosure_log (position);
CREATE INDEX disclosure_log_client ON disclosure_log (client, at) WHERE client IS NOT NULL;
CREATE INDEX disclosure_log_controller ON disclosure_log (controller, at);
CREATE INDEX disclosure_log_notice ON disclosure_log (notice) WHERE notice IS NOT NULL;
