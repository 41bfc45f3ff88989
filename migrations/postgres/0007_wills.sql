-- What archived will documents (groups 7 to 9) say: derived from their octets when they are archived, held against them by the audit.
-- Set, version, time and validity are the document's own. Which of them are in force is never kept: it is folded anew for each decision.
CREATE TABLE will (
    document_id text PRIMARY KEY,
    client bytea NOT NULL,             -- the keyed hash, as the document's row has it
    position bigint NOT NULL,          -- the document's ledger entry
    kind bigint NOT NULL,              -- 1 informed, 2 permitted or no longer, 3 all that is denied, 4 denials that end
    said text NOT NULL                -- a line for each thing said
);
CREATE INDEX will_client ON will (client, position);
