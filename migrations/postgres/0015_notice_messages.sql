-- How many messages of a notice leave on the notice queue: the FHIR bundle, the CDA document, or both. Those from before were bundles.
ALTER TABLE notice ADD COLUMN messages bigint NOT NULL DEFAULT 1;
