-- Signed checkpoints of the ledger, and what they are verified with long after certificates have ended.

-- The archive's own name, drawn once: a checkpoint says of which archive it speaks.
CREATE TABLE archive (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL
);
INSERT INTO archive VALUES (1, lower(hex(randomblob(16))));

-- One row a checkpoint. Each names the one before it, and no two the same one: any number of instances make one chain.
CREATE TABLE checkpoint (
    position INTEGER PRIMARY KEY,
    archive TEXT NOT NULL,
    head BLOB NOT NULL,                 -- the ledger's hash at the position
    at INTEGER NOT NULL,
    instance TEXT NOT NULL,
    before BLOB NOT NULL,               -- the hash of the checkpoint before, zeros for the first
    material BLOB NOT NULL,             -- the set of validation material
    certificate BLOB NOT NULL,          -- the signer's, in material
    hash BLOB NOT NULL,
    signature BLOB NOT NULL,
    token BLOB                          -- RFC 3161, once an authority has stamped it
);
CREATE UNIQUE INDEX checkpoint_before ON checkpoint (before);
CREATE INDEX checkpoint_unstamped ON checkpoint (position) WHERE token IS NULL;

-- Certificates, revocation lists and answers, each kept once under its SHA-256; a set is the SHA-256 of its members' digests in order.
CREATE TABLE material (
    sha BLOB PRIMARY KEY,
    kind INTEGER NOT NULL,              -- 1 certificate, 2 revocation list, 3 OCSP answer
    octets BLOB NOT NULL
);
CREATE TABLE material_set (
    set_sha BLOB NOT NULL,
    sha BLOB NOT NULL,
    PRIMARY KEY (set_sha, sha)
);

-- What the audit asks by.
CREATE INDEX access_log_position ON access_log (position);
CREATE INDEX ledger_supersedes ON ledger (supersedes) WHERE supersedes IS NOT NULL;
