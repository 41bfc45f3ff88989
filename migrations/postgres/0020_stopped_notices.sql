-- What the FHIR server refuses is counted every half minute: an alarm opens and closes by it.
CREATE INDEX notice_handover_stopped ON notice_handover (position) WHERE standing = 2;
