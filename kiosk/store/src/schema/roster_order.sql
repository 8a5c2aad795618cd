-- After all people are in: sorting once costs a tenth of keeping order at each of them.
CREATE INDEX person_subject ON person (subject);
CREATE INDEX person_name ON person (name);
CREATE INDEX person_village ON person (village, day);
CREATE INDEX person_standing ON person (standing, day);
CREATE INDEX spelling_order ON spelling (spelling, person);

-- Of two entries with one number the later holds.
CREATE TEMP TABLE earlier AS
    SELECT id FROM person AS one WHERE EXISTS
        (SELECT 1 FROM person AS other WHERE other.subject = one.subject AND other.id > one.id);
DELETE FROM spelling WHERE person IN (SELECT id FROM earlier);
DELETE FROM entry WHERE id IN (SELECT id FROM earlier);
DELETE FROM person WHERE id IN (SELECT id FROM earlier);
DROP TABLE earlier;
