-- What the authority keeps. A picture's bytes are a file of their own; the row says the file is durable.
CREATE TABLE device (
    id            TEXT PRIMARY KEY,
    site          TEXT NOT NULL,
    registered_ms INTEGER NOT NULL,
    revoked_ms    INTEGER
) STRICT;

-- A device keeps its earlier keys: records signed before it was provisioned anew still arrive.
CREATE TABLE device_key (
    device TEXT NOT NULL REFERENCES device (id),
    kid    BLOB NOT NULL,
    public BLOB NOT NULL,
    PRIMARY KEY (device, kid)
) STRICT;

CREATE TABLE batch (
    id         BLOB PRIMARY KEY,
    device     TEXT NOT NULL REFERENCES device (id),
    digest     BLOB NOT NULL,
    previous   BLOB,
    audit_head BLOB,
    signed     BLOB NOT NULL,
    offered_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX batch_digest ON batch (device, digest);

-- What a device announced of a record, once and for all.
CREATE TABLE claim (
    device TEXT NOT NULL,
    record BLOB NOT NULL,
    seq    INTEGER NOT NULL,
    lane   INTEGER NOT NULL,
    len    INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (device, record),
    UNIQUE (device, seq)
) STRICT;

CREATE TABLE claim_picture (
    device TEXT NOT NULL,
    record BLOB NOT NULL,
    place  INTEGER NOT NULL,
    role   TEXT NOT NULL,
    digest BLOB NOT NULL,
    len    INTEGER NOT NULL,
    PRIMARY KEY (device, record, place)
) STRICT;
CREATE INDEX claim_picture_digest ON claim_picture (device, digest);

CREATE TABLE batch_entry (
    batch   BLOB NOT NULL REFERENCES batch (id),
    place   INTEGER NOT NULL,
    record  BLOB NOT NULL,
    refused TEXT,
    PRIMARY KEY (batch, place)
) STRICT;
CREATE INDEX batch_entry_record ON batch_entry (record);

CREATE TABLE record (
    id         BLOB PRIMARY KEY,
    device     TEXT NOT NULL,
    seq        INTEGER NOT NULL,
    lane       INTEGER NOT NULL,
    digest     BLOB NOT NULL,
    envelope   BLOB NOT NULL,
    visit      BLOB NOT NULL,
    site       TEXT NOT NULL,
    wall_ms    INTEGER NOT NULL,
    outcome    TEXT NOT NULL,
    summary    TEXT NOT NULL,
    supersedes BLOB,
    stored_ms  INTEGER NOT NULL,
    UNIQUE (device, seq)
) STRICT;

CREATE TABLE picture (
    digest    BLOB PRIMARY KEY,
    len       INTEGER NOT NULL,
    stored_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE receipt (
    record    BLOB PRIMARY KEY REFERENCES record (id),
    number    INTEGER NOT NULL UNIQUE CHECK (number > 0),
    body      BLOB NOT NULL,
    issued_ms INTEGER NOT NULL
) STRICT;

-- The last refusal of a record that is announced and not stored.
CREATE TABLE refusal (
    device TEXT NOT NULL,
    record BLOB NOT NULL,
    digest BLOB NOT NULL,
    code   TEXT NOT NULL,
    at_ms  INTEGER NOT NULL,
    PRIMARY KEY (device, record)
) STRICT;

CREATE TABLE event (
    device   TEXT NOT NULL,
    code     TEXT NOT NULL,
    about    TEXT NOT NULL,
    security INTEGER NOT NULL,
    times    INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms  INTEGER NOT NULL,
    PRIMARY KEY (device, code, about)
) STRICT;

CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    n    INTEGER NOT NULL
) STRICT;
