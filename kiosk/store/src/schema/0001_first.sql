-- The first shape. Later shapes are added as 0002_….sql and never change this file.
-- A column named subject is HMAC-SHA256 of an identity number; no number, name or picture is in any column in the clear.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One row for each sealed record, in the order of saving, without gaps, for ever.
CREATE TABLE record (
    seq        INTEGER PRIMARY KEY CHECK (seq > 0),
    id         BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    visit      BLOB NOT NULL CHECK (length(visit) = 16),
    supersedes BLOB CHECK (length(supersedes) = 16),
    subject    BLOB NOT NULL CHECK (length(subject) = 32),
    lane       INTEGER NOT NULL CHECK (lane BETWEEN 0 AND 3),
    outcome    TEXT NOT NULL,
    wall_ms    INTEGER NOT NULL,
    boot_id    BLOB NOT NULL CHECK (length(boot_id) = 16),
    mono_ms    INTEGER NOT NULL,
    doubt      INTEGER NOT NULL CHECK (doubt BETWEEN 0 AND 2),
    digest     BLOB NOT NULL CHECK (length(digest) = 32),
    envelope   BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX record_visit ON record (visit) WHERE supersedes IS NULL;
CREATE INDEX record_subject ON record (subject);

CREATE TRIGGER record_is_immutable BEFORE UPDATE ON record
BEGIN SELECT RAISE(ABORT, 'a record is immutable'); END;
CREATE TRIGGER record_stays BEFORE DELETE ON record
BEGIN SELECT RAISE(ABORT, 'a record stays'); END;

CREATE TABLE record_picture (
    seq    INTEGER NOT NULL REFERENCES record (seq),
    place  INTEGER NOT NULL,
    role   TEXT NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    len    INTEGER NOT NULL,
    PRIMARY KEY (seq, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX record_picture_digest ON record_picture (digest);

-- What the centre does not have yet. held: the centre's refusal code, an operator has to look.
CREATE TABLE outbox (
    seq   INTEGER PRIMARY KEY REFERENCES record (seq),
    lane  INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    held  TEXT
) STRICT;
CREATE INDEX outbox_order ON outbox (lane, seq) WHERE held IS NULL;

CREATE TABLE receipt (
    seq            INTEGER PRIMARY KEY REFERENCES record (seq),
    receipt_no     INTEGER NOT NULL,
    server_time_ms INTEGER NOT NULL,
    signed         BLOB NOT NULL
) STRICT;

-- Nothing leaves the outbox but by a receipt, whatever the program does.
CREATE TRIGGER outbox_leaves_by_receipt BEFORE DELETE ON outbox
WHEN NOT EXISTS (SELECT 1 FROM receipt WHERE seq = old.seq)
BEGIN SELECT RAISE(ABORT, 'no receipt'); END;

CREATE TABLE batch (
    id       BLOB PRIMARY KEY CHECK (length(id) = 16),
    number   INTEGER NOT NULL UNIQUE,
    digest   BLOB NOT NULL CHECK (length(digest) = 32),
    manifest BLOB,
    open     INTEGER NOT NULL CHECK (open IN (0, 1))
) STRICT;
CREATE UNIQUE INDEX batch_one_open ON batch (open) WHERE open = 1;

CREATE TABLE roster (
    subject BLOB PRIMARY KEY CHECK (length(subject) = 32),
    sealed  BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE reference (
    id        INTEGER PRIMARY KEY,
    subject   BLOB NOT NULL CHECK (length(subject) = 32),
    modality  TEXT NOT NULL,
    format    TEXT NOT NULL,
    extractor TEXT NOT NULL,
    wall_ms   INTEGER NOT NULL,
    boot_id   BLOB NOT NULL CHECK (length(boot_id) = 16),
    mono_ms   INTEGER NOT NULL,
    doubt     INTEGER NOT NULL,
    bytes     BLOB NOT NULL,
    quality   INTEGER NOT NULL CHECK (quality BETWEEN 0 AND 100),
    origin    TEXT NOT NULL
) STRICT;
CREATE INDEX reference_subject ON reference (subject, modality);

CREATE TABLE success (
    subject BLOB NOT NULL CHECK (length(subject) = 32),
    pack    TEXT NOT NULL,
    method  TEXT NOT NULL,
    wall_ms INTEGER NOT NULL,
    boot_id BLOB NOT NULL CHECK (length(boot_id) = 16),
    mono_ms INTEGER NOT NULL,
    doubt   INTEGER NOT NULL,
    seq     INTEGER NOT NULL REFERENCES record (seq),
    PRIMARY KEY (subject, pack)
) STRICT, WITHOUT ROWID;

CREATE TABLE draft (
    visit BLOB PRIMARY KEY CHECK (length(visit) = 16),
    bytes BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    seq  INTEGER PRIMARY KEY CHECK (seq > 0),
    body BLOB NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TRIGGER audit_is_immutable BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
