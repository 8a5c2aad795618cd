-- A roster file, written whole by an import and then put in the place of the one before. A shape is never migrated:
-- a file of another shape counts as none, and the roster is imported again.
--
-- In the clear inside of the encrypted pages is what a search or an order needs: names, villages, spellings and days.
-- A hash of them would find no beginnings, and one that keeps the order would tell as much as the words. A number or
-- an entry with its templates needs none of that and stays sealed a second time: nothing that reads a page, a plan or
-- a list of names can show whose number it is. A column named subject is HMAC-SHA256 of the number.

CREATE TABLE about (
    version INTEGER NOT NULL,
    -- Certifications of records up to this one are in the keys.
    keyed_seq INTEGER NOT NULL,
    -- What the keys of people up to the cursor were computed by, in the words of the caller.
    basis   BLOB NOT NULL,
    cursor  INTEGER NOT NULL
) STRICT;

CREATE TABLE person (
    id       INTEGER PRIMARY KEY,
    subject  BLOB NOT NULL CHECK (length(subject) = 32),
    number   BLOB NOT NULL,
    name     TEXT NOT NULL,
    village  TEXT NOT NULL,
    -- 0: a payment will be stopped after the day; 1: something is due by it; 2: was stopped; 3: nothing.
    standing INTEGER NOT NULL CHECK (standing BETWEEN 0 AND 3),
    -- Days since 1970-01-01; for nothing one that comes after all others.
    day      INTEGER NOT NULL
) STRICT;

-- Apart from person, which is read and written far more often and is a tenth as long.
CREATE TABLE entry (
    id     INTEGER PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT;

CREATE TABLE spelling (
    person   INTEGER NOT NULL,
    spelling TEXT NOT NULL
) STRICT;
