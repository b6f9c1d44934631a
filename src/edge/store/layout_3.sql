-- What was about to be sent, and nobody knows what became of it; no digest for
-- a deletion, and for more than one document.
CREATE TABLE doubts (
    item_id TEXT NOT NULL,
    version TEXT NOT NULL,
    digest  BLOB,
    PRIMARY KEY (item_id, version)
) STRICT, WITHOUT ROWID;
