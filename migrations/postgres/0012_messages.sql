-- Messages as operators look at them. What the road says of itself stands beside the ledger's entry and is not hashed with it: it is about us, not about the message.
ALTER TABLE ledger ADD COLUMN amqp_id bytea;         -- the AMQP message_id of the delivery that was decided
ALTER TABLE ledger ADD COLUMN amqp_tag bigint;       -- the beginning of its SHA-256: what an index needs of it
ALTER TABLE ledger ADD COLUMN received_at bigint;
ALTER TABLE ledger ADD COLUMN examined_at bigint;
ALTER TABLE ledger ADD COLUMN signed_at bigint;
ALTER TABLE ledger ADD COLUMN written_at bigint;     -- when its transaction was written
ALTER TABLE ledger ADD COLUMN instance text;
ALTER TABLE ledger ADD COLUMN answers bigint;        -- how many answers it put into the outbox; NULL: from before that was kept
CREATE INDEX ledger_amqp ON ledger (amqp_tag) WHERE amqp_tag IS NOT NULL;
-- An archived document leads to its entry by itself; refusals and events are few.
CREATE INDEX ledger_document ON ledger (document_id, position) WHERE kind <> 1 AND document_id IS NOT NULL;

-- The ledger position whose answer it is; NULL for what else leaves.
ALTER TABLE outbox ADD COLUMN position bigint;
CREATE INDEX outbox_position ON outbox (position) WHERE position IS NOT NULL;

-- Answers that were routed and confirmed: one row for a run of positions that were forgotten together. Written in the transaction that takes them out of the
-- outbox, so that an answer is always either waiting or sent.
CREATE TABLE sent (
    first bigint NOT NULL,
    last bigint NOT NULL,
    at bigint NOT NULL,
    instance text NOT NULL
);
CREATE INDEX sent_run ON sent (first, last);

-- Lists. The accepted, which are the most, are in no index of their own: what is not one of them is.
-- That of a sender's messages is partial so that no plan made on empty tables can take it for the key (sender, octets_sha): the look-up of every batch would then
-- walk over all that the sender ever sent.
CREATE INDEX inbox_sender ON inbox (sender, position) WHERE position IS NOT NULL;
CREATE INDEX inbox_standing ON inbox (standing, position) WHERE standing <> 1;
CREATE INDEX inbox_code ON inbox (code, position) WHERE code IS NOT NULL;
-- Sendings of a stored answer that have an entry of their own.
CREATE INDEX ledger_about ON ledger (about) WHERE about IS NOT NULL;

-- Received octets and answers of refusals are kept for a while only; when they went. Their hashes stay in the ledger.
ALTER TABLE inbox ADD COLUMN forgotten_at bigint;
CREATE INDEX inbox_kept ON inbox (standing, decided_at) WHERE octets IS NOT NULL;
-- Refusals that nobody was answered: those that went to the dead-letter queue.
CREATE INDEX ledger_unanswered ON ledger (position) WHERE kind = 2 AND answers = 0;
