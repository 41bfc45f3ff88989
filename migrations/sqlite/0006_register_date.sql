-- A search by dates alone looks into the asker's registers: by controller first, then by date.
DROP INDEX document_date;
CREATE INDEX document_controller_date ON document (controller, authored_date);
