-- The archive. Moments are microseconds since 1970 UTC. What AMQP carries as octets (queue, correlation, content type) is kept as octets: it may hold what text may not.

-- One row a message (sender and octets), decided or held.
CREATE TABLE inbox (
    sender TEXT NOT NULL,
    octets_sha BLOB NOT NULL,
    standing INTEGER NOT NULL,          -- 1 accepted, 2 refused, 3 noted, 4 held
    revision INTEGER NOT NULL,          -- counts the decisions, from 1
    outcome BLOB NOT NULL,
    rules BLOB NOT NULL,
    is_final BOOLEAN NOT NULL,
    code TEXT,
    position INTEGER,                   -- the ledger entry of the last decision
    answer BLOB,                      -- as sent, position and all
    octets BLOB,                      -- received octets of refusals and notes, for replay
    decided_at INTEGER NOT NULL,
    PRIMARY KEY (sender, octets_sha)
);
CREATE UNIQUE INDEX inbox_position ON inbox (position);

-- A frame's id, claimed by one message of one sender for good. The key is the SHA-256 of sender, root and extension, each with its length: an extension may be longer than an index row.
CREATE TABLE frame (
    id_sha BLOB PRIMARY KEY,
    sender TEXT NOT NULL,
    root TEXT NOT NULL,
    extension TEXT NOT NULL DEFAULT '',
    octets_sha BLOB NOT NULL
);

-- Header facts of an archived document. The client stands here only as a keyed hash.
CREATE TABLE document (
    id TEXT PRIMARY KEY,
    set_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    replaces TEXT,
    replaces_set TEXT,
    replaces_version INTEGER,
    doc_group INTEGER NOT NULL,
    client BLOB NOT NULL,
    controller TEXT NOT NULL,
    organiser TEXT,
    service_task TEXT,
    original_task_system TEXT,
    original_task TEXT,
    case_id TEXT,
    relation_id TEXT,
    general_type TEXT,
    specific_type TEXT,
    authored INTEGER NOT NULL,
    authored_date INTEGER NOT NULL,     -- yyyymmdd as written
    created INTEGER,
    language TEXT NOT NULL,
    case_closed BOOLEAN,
    relation_old BOOLEAN,
    received_sha BLOB NOT NULL,
    archived_sha BLOB NOT NULL,
    splice_start INTEGER NOT NULL,
    splice_len INTEGER NOT NULL,
    position INTEGER NOT NULL,
    sender TEXT NOT NULL,
    archived_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX document_version ON document (set_id, version);
CREATE UNIQUE INDEX document_position ON document (position);
CREATE INDEX document_client ON document (client);
CREATE INDEX document_case ON document (case_id);
CREATE INDEX document_relation ON document (relation_id);
CREATE INDEX document_authored ON document (authored);

-- The octets apart from the facts: they are written before the ledger's lock is taken, the facts under it.
CREATE TABLE document_octets (
    document_id TEXT PRIMARY KEY,
    octets BLOB NOT NULL
);

CREATE TABLE client_relation (
    id TEXT PRIMARY KEY,
    set_id TEXT NOT NULL,
    old BOOLEAN NOT NULL,
    client BLOB NOT NULL,
    controller TEXT NOT NULL,
    revision INTEGER NOT NULL,
    document_id TEXT NOT NULL
);

CREATE TABLE case_file (
    id TEXT PRIMARY KEY,
    set_id TEXT NOT NULL,
    relation_id TEXT,
    client BLOB NOT NULL,
    controller TEXT NOT NULL,
    closed BOOLEAN NOT NULL,
    service_task TEXT,
    revision INTEGER NOT NULL,
    document_id TEXT NOT NULL
);

-- The chain of everything decided.
CREATE TABLE ledger (
    position INTEGER PRIMARY KEY,
    before BLOB NOT NULL,
    hash BLOB NOT NULL,
    kind INTEGER NOT NULL,              -- 1 archived, 2 refused, 3 noted
    at INTEGER NOT NULL,
    sender TEXT NOT NULL,
    message BLOB NOT NULL,
    document_id TEXT,
    document BLOB,
    archived BLOB,
    code TEXT,
    answer BLOB,
    rules BLOB NOT NULL,
    supersedes INTEGER
);

-- The ledger's end, and the lock that every commit takes. The tallies save counting millions of rows.
CREATE TABLE head (
    id INTEGER PRIMARY KEY,
    position INTEGER NOT NULL,
    hash BLOB NOT NULL,
    documents INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    refused INTEGER NOT NULL
);
INSERT INTO head VALUES (1, 0, zeroblob(32), 0, 0, 0, 0);

CREATE TABLE access_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    position INTEGER NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    document_id TEXT NOT NULL,
    controller TEXT NOT NULL,
    service_request TEXT,
    purpose TEXT
);
CREATE INDEX access_log_document ON access_log (document_id);

-- What must leave. due_at is when a lease ends, or when an unroutable row may be tried again.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    amqp_id TEXT NOT NULL,
    queue BLOB NOT NULL,
    correlation BLOB,
    content_type TEXT NOT NULL,
    body BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    lease_owner TEXT,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL
);
CREATE INDEX outbox_due ON outbox (due_at, id);

CREATE TABLE held (
    sender TEXT NOT NULL,
    octets_sha BLOB NOT NULL,
    awaits_kind INTEGER NOT NULL,       -- 1 document, 2 case, 3 client relation
    awaits_id TEXT NOT NULL,
    until_at INTEGER NOT NULL,
    since INTEGER NOT NULL,
    message_id BLOB,
    content_type BLOB,
    inbound TEXT NOT NULL,
    profile TEXT NOT NULL,
    octets BLOB NOT NULL,
    PRIMARY KEY (sender, octets_sha)
);
CREATE INDEX held_awaits ON held (awaits_id);
CREATE INDEX held_since ON held (since);

-- Who is answered when a held message is decided; an empty correlation is none.
CREATE TABLE held_reply (
    sender TEXT NOT NULL,
    octets_sha BLOB NOT NULL,
    queue BLOB NOT NULL,
    correlation BLOB NOT NULL,
    PRIMARY KEY (sender, octets_sha, queue, correlation)
);

