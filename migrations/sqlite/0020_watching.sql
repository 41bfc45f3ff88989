-- What the FHIR server refuses is counted every half minute: an alarm opens and closes by it.
CREATE INDEX notice_handover_stopped ON notice_handover (position) WHERE standing = 2;

-- What lies in the dead-letter queue is a refusal that nobody was answered, once for each; and here stand, for each message, how many of its deliveries were put there
-- beside (it was sent again, or taken without an answer), less the refusals without an answer that no delivery brought (from the hold, of a replay).
CREATE TABLE dead_letter (
    sender TEXT NOT NULL,
    octets_sha BLOB NOT NULL,
    copies INTEGER NOT NULL,
    PRIMARY KEY (sender, octets_sha)
);
