-- The archive. Moments are microseconds since 1970 UTC. What AMQP carries as octets (queue, correlation, content type) is kept as octets: it may hold what text may not.
-- No unique or check constraint stands over a personal value: PostgreSQL writes the value of a violated one into its own log.

-- One row a message (sender and octets), decided or held.
CREATE TABLE inbox (
    sender text NOT NULL,
    octets_sha bytea NOT NULL,
    standing bigint NOT NULL,          -- 1 accepted, 2 refused, 3 noted, 4 held
    revision bigint NOT NULL,          -- counts the decisions, from 1
    outcome bytea NOT NULL,
    rules bytea NOT NULL,
    is_final boolean NOT NULL,
    code text,
    position bigint,                   -- the ledger entry of the last decision
    answer bytea,                      -- as sent, position and all
    octets bytea,                      -- received octets of refusals and notes, for replay
    decided_at bigint NOT NULL,
    PRIMARY KEY (sender, octets_sha)
);
CREATE UNIQUE INDEX inbox_position ON inbox (position);

-- A frame's id, claimed by one message of one sender for good. The key is the SHA-256 of sender, root and extension, each with its length: an extension may be longer than an index row.
CREATE TABLE frame (
    id_sha bytea PRIMARY KEY,
    sender text NOT NULL,
    root text NOT NULL,
    extension text NOT NULL DEFAULT '',
    octets_sha bytea NOT NULL
);

-- Header facts of an archived document. The client stands here only as a keyed hash.
CREATE TABLE document (
    id text PRIMARY KEY,
    set_id text NOT NULL,
    version bigint NOT NULL,
    replaces text,
    replaces_set text,
    replaces_version bigint,
    doc_group bigint NOT NULL,
    client bytea NOT NULL,
    controller text NOT NULL,
    organiser text,
    service_task text,
    original_task_system text,
    original_task text,
    case_id text,
    relation_id text,
    general_type text,
    specific_type text,
    authored bigint NOT NULL,
    authored_date bigint NOT NULL,     -- yyyymmdd as written
    created bigint,
    language text NOT NULL,
    case_closed boolean,
    relation_old boolean,
    received_sha bytea NOT NULL,
    archived_sha bytea NOT NULL,
    splice_start bigint NOT NULL,
    splice_len bigint NOT NULL,
    position bigint NOT NULL,
    sender text NOT NULL,
    archived_at bigint NOT NULL
);
CREATE UNIQUE INDEX document_version ON document (set_id, version);
CREATE UNIQUE INDEX document_position ON document (position);
CREATE INDEX document_client ON document (client);
CREATE INDEX document_case ON document (case_id);
CREATE INDEX document_relation ON document (relation_id);
CREATE INDEX document_authored ON document (authored);

-- The octets apart from the facts: they are written before the ledger's lock is taken, the facts under it.
CREATE TABLE document_octets (
    document_id text PRIMARY KEY,
    octets bytea NOT NULL
);

CREATE TABLE client_relation (
    id text PRIMARY KEY,
    set_id text NOT NULL,
    old boolean NOT NULL,
    client bytea NOT NULL,
    controller text NOT NULL,
    revision bigint NOT NULL,
    document_id text NOT NULL
);

CREATE TABLE case_file (
    id text PRIMARY KEY,
    set_id text NOT NULL,
    relation_id text,
    client bytea NOT NULL,
    controller text NOT NULL,
    closed boolean NOT NULL,
    service_task text,
    revision bigint NOT NULL,
    document_id text NOT NULL
);

-- The chain of everything decided.
CREATE TABLE ledger (
    position bigint PRIMARY KEY,
    before bytea NOT NULL,
    hash bytea NOT NULL,
    kind bigint NOT NULL,              -- 1 archived, 2 refused, 3 noted
    at bigint NOT NULL,
    sender text NOT NULL,
    message bytea NOT NULL,
    document_id text,
    document bytea,
    archived bytea,
    code text,
    answer bytea,
    rules bytea NOT NULL,
    supersedes bigint
);

-- The ledger's end, and the lock that every commit takes. The tallies save counting millions of rows.
CREATE TABLE head (
    id bigint PRIMARY KEY,
    position bigint NOT NULL,
    hash bytea NOT NULL,
    documents bigint NOT NULL,
    messages bigint NOT NULL,
    accepted bigint NOT NULL,
    refused bigint NOT NULL
);
INSERT INTO head VALUES (1, 0, decode(repeat('00', 32), 'hex'), 0, 0, 0, 0);

CREATE TABLE access_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    position bigint NOT NULL,
    at bigint NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    document_id text NOT NULL,
    controller text NOT NULL,
    service_request text,
    purpose text
);
CREATE INDEX access_log_document ON access_log (document_id);

-- What must leave. due_at is when a lease ends, or when an unroutable row may be tried again.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    amqp_id text NOT NULL,
    queue bytea NOT NULL,
    correlation bytea,
    content_type text NOT NULL,
    body bytea NOT NULL,
    made_at bigint NOT NULL,
    lease_owner text,
    due_at bigint NOT NULL,
    attempts bigint NOT NULL
);
CREATE INDEX outbox_due ON outbox (due_at, id);

CREATE TABLE held (
    sender text NOT NULL,
    octets_sha bytea NOT NULL,
    awaits_kind bigint NOT NULL,       -- 1 document, 2 case, 3 client relation
    awaits_id text NOT NULL,
    until_at bigint NOT NULL,
    since bigint NOT NULL,
    message_id bytea,
    content_type bytea,
    inbound text NOT NULL,
    profile text NOT NULL,
    octets bytea NOT NULL,
    PRIMARY KEY (sender, octets_sha)
);
CREATE INDEX held_awaits ON held (awaits_id);
CREATE INDEX held_since ON held (since);

-- Who is answered when a held message is decided; an empty correlation is none.
CREATE TABLE held_reply (
    sender text NOT NULL,
    octets_sha bytea NOT NULL,
    queue bytea NOT NULL,
    correlation bytea NOT NULL,
    PRIMARY KEY (sender, octets_sha, queue, correlation)
);

-- lz4 where this server was built with it (version 14 and later): a third of pglz's CPU.
DO $$
BEGIN
    EXECUTE 'ALTER TABLE document_octets ALTER COLUMN octets SET COMPRESSION lz4';
    EXECUTE 'ALTER TABLE inbox ALTER COLUMN octets SET COMPRESSION lz4';
    EXECUTE 'ALTER TABLE inbox ALTER COLUMN answer SET COMPRESSION lz4';
    EXECUTE 'ALTER TABLE held ALTER COLUMN octets SET COMPRESSION lz4';
    EXECUTE 'ALTER TABLE outbox ALTER COLUMN body SET COMPRESSION lz4';
EXCEPTION WHEN feature_not_supported OR syntax_error OR invalid_parameter_value THEN
    NULL;
END
$$;

-- Rows that come and go at the rate of messages: clean them before they grow old.
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);
ALTER TABLE head SET (fillfactor = 10, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);
