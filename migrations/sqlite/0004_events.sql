-- What happened to archived documents: invalidated, reinstated. Append-only; the digest of each row stands in the ledger.
-- The words of a reason may name people: no index and no constraint stands over them, and nothing but `arkki history` shows them.
CREATE TABLE document_event (
    position INTEGER PRIMARY KEY,      -- its ledger entry
    kind INTEGER NOT NULL,             -- 1 invalidated, 2 reinstated
    set_id TEXT NOT NULL,
    document_id TEXT,                  -- the version; NULL: the whole set
    by_document TEXT,                  -- the invalidating version, where one was archived with it
    at INTEGER NOT NULL,
    sender TEXT NOT NULL,
    controller TEXT NOT NULL,
    organisation TEXT,
    professional TEXT,
    reason_code TEXT,
    reason TEXT
);
CREATE INDEX document_event_set ON document_event (set_id, position);
CREATE INDEX document_event_document ON document_event (document_id, position) WHERE document_id IS NOT NULL;
CREATE INDEX document_event_by ON document_event (by_document) WHERE by_document IS NOT NULL;

-- What is invalid now: the fold of the events, kept so that a search need not fold. Few rows beside the documents.
CREATE TABLE invalid (
    id TEXT NOT NULL,
    scope INTEGER NOT NULL,            -- 1 this version, 2 this set, 3 this version invalidated its set
    position INTEGER NOT NULL,         -- the event that made it so
    PRIMARY KEY (id, scope)
);

-- No version of its document is valid: nothing new hangs on it.
ALTER TABLE case_file ADD COLUMN invalid BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE client_relation ADD COLUMN invalid BOOLEAN NOT NULL DEFAULT false;
