-- Digests are 32 bytes, blobs 20; times are RFC 3339 in UTC; JSON where a
-- column says so. STRICT: SQLite refuses a value of another type.

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What was last applied.
CREATE TABLE ledger (
    item_id       TEXT NOT NULL,
    version       TEXT NOT NULL,
    digest        BLOB NOT NULL,
    sealed_digest BLOB NOT NULL,
    lifecycle     TEXT,
    object_id     TEXT,
    commit_id     TEXT NOT NULL,
    path          TEXT NOT NULL,
    blob          BLOB NOT NULL,
    at            TEXT NOT NULL,
    corrected     TEXT NOT NULL, -- JSON: times
    PRIMARY KEY (item_id, version)
) STRICT, WITHOUT ROWID;

-- What the marketplace refused since.
CREATE TABLE rejections (
    item_id       TEXT NOT NULL,
    version       TEXT NOT NULL,
    circumstances BLOB NOT NULL,
    why           TEXT NOT NULL,
    at            TEXT NOT NULL,
    PRIMARY KEY (item_id, version)
) STRICT, WITHOUT ROWID;

-- One row for each change that was tried.
CREATE TABLE history (
    id          INTEGER PRIMARY KEY,
    item_id     TEXT NOT NULL,
    version     TEXT NOT NULL,
    at          TEXT NOT NULL,
    commit_id   TEXT NOT NULL,
    action      TEXT NOT NULL,
    reason      TEXT NOT NULL,
    result      TEXT NOT NULL, -- a verb, or transient, or rejected
    why         TEXT,
    object_id   TEXT,
    from_digest BLOB,
    to_digest   BLOB,
    fields      TEXT NOT NULL  -- JSON: pointers
) STRICT;
CREATE INDEX history_of_item ON history (item_id, version, id);
CREATE INDEX history_by_time ON history (at);
CREATE INDEX history_deletions ON history (commit_id) WHERE result = 'Deleted';

-- What files were read as. A cache.
CREATE TABLE seen (
    path  TEXT NOT NULL PRIMARY KEY,
    entry TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Where uploaded pictures are. A cache.
CREATE TABLE image_locations (
    id       INTEGER PRIMARY KEY,
    digest   BLOB NOT NULL,
    item_id  TEXT NOT NULL,
    slot     TEXT NOT NULL,
    location TEXT NOT NULL,
    UNIQUE (item_id, slot, digest)
) STRICT;
