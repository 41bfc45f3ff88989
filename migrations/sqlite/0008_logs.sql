-- The logs in the chain, and the disclosure log. Personal values stand here only sealed; what is searched by is a keyed hash.

-- What an entry says of the log rows that it brings (how many, and the SHA-256 of their octets), and the earlier entry that it speaks of.
ALTER TABLE ledger ADD COLUMN log_rows INTEGER;
ALTER TABLE ledger ADD COLUMN log BLOB;
ALTER TABLE ledger ADD COLUMN about INTEGER;

ALTER TABLE access_log ADD COLUMN query_id TEXT;
ALTER TABLE access_log ADD COLUMN client_sealed BLOB;
ALTER TABLE access_log ADD COLUMN person_sealed BLOB;
-- A client's own request, and a controller's month.
CREATE INDEX access_log_client ON access_log (client, at) WHERE client IS NOT NULL;
CREATE INDEX access_log_at ON access_log (at);

-- What was disclosed to whom, why and by which rule: one row a document, a search or a disclosure outside the archive. Append-only.
CREATE TABLE disclosure_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    position INTEGER NOT NULL,          -- the ledger entry that brought it, which has the message's hash
    at INTEGER NOT NULL,                -- when it was recorded
    kind INTEGER NOT NULL,              -- 1 document, 2 search, 3 outside the archive
    disclosed_at INTEGER,               -- outside the archive: when it was disclosed
    controller TEXT NOT NULL,
    register_type TEXT,
    client BLOB,
    client_sealed BLOB,
    document_id TEXT,
    set_id TEXT,
    general_type TEXT,
    specific_type TEXT,
    service_task TEXT,
    discloser_kind TEXT NOT NULL,
    discloser TEXT,
    discloser_person BLOB,
    discloser_sealed BLOB,
    recipient_kind TEXT NOT NULL,
    recipient TEXT,
    recipient_person BLOB,
    recipient_sealed BLOB,
    purpose TEXT,
    service_request TEXT,
    query_id TEXT,
    basis TEXT NOT NULL,
    rule TEXT,
    section TEXT,
    informing TEXT,
    permission TEXT,
    denials TEXT NOT NULL,
    notice TEXT,
    detail TEXT
);
CREATE INDEX disclosure_log_position ON disclosure_log (position);
CREATE INDEX disclosure_log_client ON disclosure_log (client, at) WHERE client IS NOT NULL;
CREATE INDEX disclosure_log_controller ON disclosure_log (controller, at);
CREATE INDEX disclosure_log_notice ON disclosure_log (notice) WHERE notice IS NOT NULL;
