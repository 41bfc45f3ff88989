-- A search by dates alone looks into the asker's registers: by controller first, then by date. Octet by octet, so that an organisation's controllers lie side by
-- side in the index.
DROP INDEX document_date;
ALTER TABLE document ALTER COLUMN controller TYPE text COLLATE "C";
CREATE INDEX document_controller_date ON document (controller, authored_date);
