-- Which certifications are newer than the keys of the roster is asked by the number of their record.
CREATE INDEX success_seq ON success (seq);

-- The table roster of 0001 takes nothing new: a roster is a file of its own since (schema/roster.sql), because it comes
-- again from the centre and would make every check and copy of the records ten times as long. The table is read while
-- there is no such file, and emptied by the import that makes the first one.
