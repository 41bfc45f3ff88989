-- Notices (LILM): disclosures outside the archive, reported by the system that made them. Append-only; the hashes of event and bundle stand in the ledger.
-- Event and bundle name people, so they are octets like a document's: nothing searches in them.
CREATE TABLE notice (
    position bigint PRIMARY KEY,       -- its ledger entry
    id text NOT NULL,                  -- the event's id
    sender text NOT NULL,
    client bytea NOT NULL,             -- keyed hash
    corrects text,                     -- the notice that it corrects
    disclosed_at bigint NOT NULL,
    recorded_at bigint NOT NULL,
    at bigint NOT NULL,                -- archived
    event_sha bytea NOT NULL,
    bundle_sha bytea NOT NULL,
    event bytea NOT NULL,
    bundle bytea NOT NULL,
    cda bytea
);
CREATE UNIQUE INDEX notice_id ON notice (id);
CREATE INDEX notice_disclosed ON notice (disclosed_at);

-- One for each AuditEvent of the bundle: one register of one controller.
CREATE TABLE notice_part (
    position bigint NOT NULL,
    number bigint NOT NULL,            -- from 1
    sent_id text NOT NULL,             -- the AuditEvent's id as sent
    provenance_id text NOT NULL,
    controller text NOT NULL,
    register text NOT NULL,
    PRIMARY KEY (position, number)
);
CREATE UNIQUE INDEX notice_part_sent ON notice_part (sent_id);
CREATE INDEX notice_part_controller ON notice_part (controller, position);

-- The ledger position of a notice that the notice queue has not taken yet.
ALTER TABLE outbox ADD COLUMN notice_position bigint;
CREATE INDEX outbox_notice ON outbox (notice_position) WHERE notice_position IS NOT NULL;
