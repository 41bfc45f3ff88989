-- Refused messages for operators: groups with their counts, what people did about them, and replays. The ledger and the inbox say what was decided; these
-- tables say what is done about it, and change.

-- Refusals of one sender with the same code and the same place of the first finding, counted, so that no list counts millions.
CREATE TABLE refusal_group (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    code TEXT NOT NULL,
    finding TEXT NOT NULL,             -- elements and attributes without their positions; * for all above the bound
    sender TEXT NOT NULL,
    open INTEGER NOT NULL,
    held INTEGER NOT NULL,
    discarded INTEGER NOT NULL,
    mended INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX refusal_group_words ON refusal_group (code, finding, sender);

-- One row a refused message. What AMQP said beside the octets is kept for a replay.
CREATE TABLE refusal (
    id INTEGER PRIMARY KEY,             -- the ledger entry of the first refusal
    sender TEXT NOT NULL,
    octets_sha BLOB NOT NULL,
    grp INTEGER NOT NULL,
    state INTEGER NOT NULL,             -- 1 open, 2 held, 3 discarded, 4 mended
    at INTEGER NOT NULL,                -- refused last
    first_at INTEGER NOT NULL,
    position INTEGER NOT NULL,          -- the ledger entry of the last decision
    action INTEGER,                     -- the action that changed the state last
    queue BLOB,
    correlation BLOB,
    message_id BLOB,
    content_type BLOB,
    inbound TEXT NOT NULL,
    profile TEXT NOT NULL
);
CREATE UNIQUE INDEX refusal_key ON refusal (sender, octets_sha);
CREATE INDEX refusal_of_group ON refusal (grp, state, at, id);
CREATE INDEX refusal_in_state ON refusal (state, at, id);

-- What people did, append-only but for the note that an action was taken back.
CREATE TABLE refusal_action (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    deed INTEGER NOT NULL,              -- 1 hold, 2 release, 3 discard, 4 comment, 5 undo
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    criteria TEXT NOT NULL,
    count INTEGER NOT NULL,
    undoes INTEGER,
    undone_by INTEGER
);
CREATE TABLE refusal_acted (
    action INTEGER NOT NULL,
    refusal INTEGER NOT NULL,
    was INTEGER NOT NULL,               -- the state before
    PRIMARY KEY (action, refusal)
);
CREATE INDEX refusal_acted_refusal ON refusal_acted (refusal, action);

CREATE TABLE replay_job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    token TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    criteria TEXT NOT NULL,
    rate INTEGER NOT NULL,              -- messages a second
    again BOOLEAN NOT NULL,            -- the stored answer goes out again where the outcome is the same
    state INTEGER NOT NULL,             -- 1 running, 2 stopped, 3 done, 4 ended
    next_at INTEGER NOT NULL,           -- when the next message may go
    changed_at INTEGER,
    changed_who TEXT,
    total INTEGER NOT NULL,
    counts TEXT                        -- what it came to, once nothing of it is left
);
CREATE UNIQUE INDEX replay_job_token ON replay_job (token);
CREATE INDEX replay_job_live ON replay_job (id) WHERE counts IS NULL;

CREATE TABLE replay_item (
    job INTEGER NOT NULL,
    refusal INTEGER NOT NULL,
    state INTEGER NOT NULL,             -- 1 waiting, 2 on the road, 3 decided, 4 let go
    turn INTEGER NOT NULL,              -- counts its leases
    lease_until INTEGER,
    before_position INTEGER NOT NULL,
    after_position INTEGER,
    outcome INTEGER,                    -- 1 accepted, 2 same, 3 refused, 4 held, 5 already
    ended_at INTEGER,
    PRIMARY KEY (job, refusal)
);
-- A message is in hand of one job at most, however many people ask at once.
CREATE UNIQUE INDEX replay_item_in_hand ON replay_item (refusal) WHERE state < 3;
CREATE INDEX replay_item_state ON replay_item (job, state, refusal);
CREATE INDEX replay_item_refusal ON replay_item (refusal, job);

-- What was refused before this release: where its findings and its reply address were is not known.
INSERT INTO refusal_group (code, finding, sender, open, held, discarded, mended, first_at, last_at)
    SELECT code, '*', sender, count(*), 0, 0, 0, min(decided_at), max(decided_at) FROM inbox
    WHERE standing = 2 AND code IS NOT NULL AND position IS NOT NULL GROUP BY code, sender;
INSERT INTO refusal (id, sender, octets_sha, grp, state, at, first_at, position, inbound, profile)
    SELECT i.position, i.sender, i.octets_sha, g.id, 1, i.decided_at, i.decided_at, i.position, '', ''
    FROM inbox i JOIN refusal_group g ON g.code = i.code AND g.sender = i.sender AND g.finding = '*'
    WHERE i.standing = 2 AND i.code IS NOT NULL AND i.position IS NOT NULL;
