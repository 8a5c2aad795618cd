-- What the person took home on paper, as it is printed again when the paper ran out or the power went.
CREATE TABLE slip (
    seq   INTEGER PRIMARY KEY REFERENCES record (seq),
    bytes BLOB NOT NULL
) STRICT;
