-- Signed checkpoints of the ledger, and what they are verified with long after certificates have ended.

-- The archive's own name, drawn once: a checkpoint says of which archive it speaks.
CREATE TABLE archive (
    id bigint PRIMARY KEY,
    name text NOT NULL
);
INSERT INTO archive VALUES (1, replace(gen_random_uuid()::text, '-', ''));

-- One row a checkpoint. Each names the one before it, and no two the same one: any number of instances make one chain.
CREATE TABLE checkpoint (
    position bigint PRIMARY KEY,
    archive text NOT NULL,
    head bytea NOT NULL,                 -- the ledger's hash at the position
    at bigint NOT NULL,
    instance text NOT NULL,
    before bytea NOT NULL,               -- the hash of the checkpoint before, zeros for the first
    material bytea NOT NULL,             -- the set of validation material
    certificate bytea NOT NULL,          -- the signer's, in material
    hash bytea NOT NULL,
    signature bytea NOT NULL,
    token bytea                          -- RFC 3161, once an authority has stamped it
);
CREATE UNIQUE INDEX checkpoint_before ON checkpoint (before);
CREATE INDEX checkpoint_unstamped ON checkpoint (position) WHERE token IS NULL;

-- Certificates, revocation lists and answers, each kept once under its SHA-256; a set is the SHA-256 of its members' digests in order.
CREATE TABLE material (
    sha bytea PRIMARY KEY,
    kind bigint NOT NULL,              -- 1 certificate, 2 revocation list, 3 OCSP answer
    octets bytea NOT NULL
);
CREATE TABLE material_set (
    set_sha bytea NOT NULL,
    sha bytea NOT NULL,
    PRIMARY KEY (set_sha, sha)
);

-- What the audit asks by.
CREATE INDEX access_log_position ON access_log (position);
CREATE INDEX ledger_supersedes ON ledger (supersedes) WHERE supersedes IS NOT NULL;
