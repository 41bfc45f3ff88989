-- Notices (LILM): disclosures outside the archive, reported by the system that made them. Append-only; the hashes of event and bundle stand in the ledger.
-- Event and bundle name people, so they are octets like a document's: nothing searches in them.
CREATE TABLE notice (
    position INTEGER PRIMARY KEY,       -- its ledger entry
    id TEXT NOT NULL,                  -- the event's id
    sender TEXT NOT NULL,
    client BLOB NOT NULL,             -- keyed hash
    corrects TEXT,                     -- the notice that it corrects
    disclosed_at INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    at INTEGER NOT NULL,                -- archived
    event_sha BLOB NOT NULL,
    bundle_sha BLOB NOT NULL,
    event BLOB NOT NULL,
    bundle BLOB NOT NULL,
    cda BLOB
);
CREATE UNIQUE INDEX notice_id ON notice (id);
CREATE INDEX notice_disclosed ON notice (disclosed_at);

-- One for each AuditEvent of the bundle: one register of one controller.
CREATE TABLE notice_part (
    position INTEGER NOT NULL,
    number INTEGER NOT NULL,            -- from 1
    sent_id TEXT NOT NULL,             -- the AuditEvent's id as sent
    provenance_id TEXT NOT NULL,
    controller TEXT NOT NULL,
    register TEXT NOT NULL,
    PRIMARY KEY (position, number)
);
CREATE UNIQUE INDEX notice_part_sent ON notice_part (sent_id);
CREATE INDEX notice_part_controller ON notice_part (controller, position);

-- The ledger position of a notice that the notice queue has not taken yet.
ALTER TABLE outbox ADD COLUMN notice_position INTEGER;
CREATE INDEX outbox_notice ON outbox (notice_position) WHERE notice_position IS NOT NULL;
