-- What becomes of a notice after its commit: confirmed on the notice queue, handed over to a FHIR server. These rows change; the notice never does.

-- The notice queue's confirmations: written in the transaction that forgets the outbox row, so that a row lost in another way is missed.
CREATE TABLE notice_emitted (
    position INTEGER NOT NULL,          -- the notice
    amqp_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (position, amqp_id)
);

CREATE TABLE notice_handover (
    notice TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    standing INTEGER NOT NULL,          -- 0 waiting, 1 taken, 2 stopped
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL,            -- when it may be tried next; moved on while somebody tries
    words TEXT NOT NULL,             -- what the server said last: codes and element paths only
    settled_at INTEGER                  -- when that was
);
CREATE UNIQUE INDEX notice_handover_position ON notice_handover (position);
CREATE INDEX notice_handover_due ON notice_handover (position, due_at) WHERE standing = 0;

-- The two ids of each resource of a taken notice.
CREATE TABLE notice_stored (
    notice TEXT NOT NULL,
    number INTEGER NOT NULL,            -- its place in the bundle, from 1
    kind TEXT NOT NULL,              -- AuditEvent or Provenance
    sent_id TEXT NOT NULL,
    stored_id TEXT NOT NULL,
    PRIMARY KEY (notice, number)
);
CREATE UNIQUE INDEX notice_stored_id ON notice_stored (kind, stored_id);

-- A reckoning walks through the notices' entries alone.
CREATE INDEX ledger_notice ON ledger (position) WHERE kind = 6;
CREATE INDEX disclosure_log_outside ON disclosure_log (position) WHERE kind = 3;
