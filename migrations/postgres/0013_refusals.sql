-- Refused messages for operators: groups with their counts, what people did about them, and replays. The ledger and the inbox say what was decided; these
-- tables say what is done about it, and change.

-- Refusals of one sender with the same code and the same place of the first finding, counted, so that no list counts millions.
CREATE TABLE refusal_group (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL,
    finding text NOT NULL,             -- elements and attributes without their positions; * for all above the bound
    sender text NOT NULL,
    open bigint NOT NULL,
    held bigint NOT NULL,
    discarded bigint NOT NULL,
    mended bigint NOT NULL,
    first_at bigint NOT NULL,
    last_at bigint NOT NULL
);
CREATE UNIQUE INDEX refusal_group_words ON refusal_group (code, finding, sender);

-- One row a refused message. What AMQP said beside the octets is kept for a replay.
CREATE TABLE refusal (
    id bigint PRIMARY KEY,             -- the ledger entry of the first refusal
    sender text NOT NULL,
    octets_sha bytea NOT NULL,
    grp bigint NOT NULL,
    state bigint NOT NULL,             -- 1 open, 2 held, 3 discarded, 4 mended
    at bigint NOT NULL,                -- refused last
    first_at bigint NOT NULL,
    position bigint NOT NULL,          -- the ledger entry of the last decision
    action bigint,                     -- the action that changed the state last
    queue bytea,
    correlation bytea,
    message_id bytea,
    content_type bytea,
    inbound text NOT NULL,
    profile text NOT NULL
);
CREATE UNIQUE INDEX refusal_key ON refusal (sender, octets_sha);
CREATE INDEX refusal_of_group ON refusal (grp, state, at, id);
CREATE INDEX refusal_in_state ON refusal (state, at, id);

-- What people did, append-only but for the note that an action was taken back.
CREATE TABLE refusal_action (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    deed bigint NOT NULL,              -- 1 hold, 2 release, 3 discard, 4 comment, 5 undo
    at bigint NOT NULL,
    who text NOT NULL,
    why text NOT NULL,
    criteria text NOT NULL,
    count bigint NOT NULL,
    undoes bigint,
    undone_by bigint
);
CREATE TABLE refusal_acted (
    action bigint NOT NULL,
    refusal bigint NOT NULL,
    was bigint NOT NULL,               -- the state before
    PRIMARY KEY (action, refusal)
);
CREATE INDEX refusal_acted_refusal ON refusal_acted (refusal, action);

CREATE TABLE replay_job (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token text NOT NULL,
    made_at bigint NOT NULL,
    who text NOT NULL,
    why text NOT NULL,
    criteria text NOT NULL,
    rate bigint NOT NULL,              -- messages a second
    again boolean NOT NULL,            -- the stored answer goes out again where the outcome is the same
    state bigint NOT NULL,             -- 1 running, 2 stopped, 3 done, 4 ended
    next_at bigint NOT NULL,           -- when the next message may go
    changed_at bigint,
    changed_who text,
    total bigint NOT NULL,
    counts text                        -- what it came to, once nothing of it is left
);
CREATE UNIQUE INDEX replay_job_token ON replay_job (token);
CREATE INDEX replay_job_live ON replay_job (id) WHERE counts IS NULL;

CREATE TABLE replay_item (
    job bigint NOT NULL,
    refusal bigint NOT NULL,
    state bigint NOT NULL,             -- 1 waiting, 2 on the road, 3 decided, 4 let go
    turn bigint NOT NULL,              -- counts its leases
    lease_until bigint,
    before_position bigint NOT NULL,
    after_position bigint,
    outcome bigint,                    -- 1 accepted, 2 same, 3 refused, 4 held, 5 already
    ended_at bigint,
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
