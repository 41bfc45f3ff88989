-- Our signature of a document whose profile has no place for one within, and what issuers said of signers.

-- A ds:Signature document of its own, beside octets that stay as they came; null where the signature stands within.
ALTER TABLE document_octets ADD COLUMN beside BLOB;

-- Of an OCSP answer: the certificate it is about (SHA-256) and when it was given; null for other material.
ALTER TABLE material ADD COLUMN about BLOB;
ALTER TABLE material ADD COLUMN at INTEGER;
CREATE INDEX material_about ON material (about, at) WHERE about IS NOT NULL;
