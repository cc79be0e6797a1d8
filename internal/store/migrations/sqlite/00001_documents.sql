-- +goose Up

-- The number of the last commit. Its single row is also what writers queue on.
CREATE TABLE revision (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    value INTEGER NOT NULL CHECK (value >= 0)
) STRICT;
INSERT INTO revision (one, value) VALUES (1, 0);

-- Facts about the store itself, such as who made it.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Resources. seq is the order of creation; region and parent may be empty.
CREATE TABLE documents (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    kind     TEXT NOT NULL CHECK (kind <> ''),
    account  TEXT NOT NULL,
    region   TEXT NOT NULL,
    parent   TEXT NOT NULL,
    id       TEXT NOT NULL CHECK (id <> ''),
    revision INTEGER NOT NULL,
    created  INTEGER NOT NULL, -- nanoseconds since 1970
    body     BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX documents_by_id ON documents (kind, account, region, parent, id);
CREATE INDEX documents_by_creation ON documents (kind, account, region, parent, seq);
CREATE INDEX documents_by_kind ON documents (kind, seq);

-- Names that at most one document may hold within a scope.
CREATE TABLE names (
    scope TEXT NOT NULL,
    name  TEXT NOT NULL,
    doc   INTEGER NOT NULL REFERENCES documents (seq) ON DELETE CASCADE,
    PRIMARY KEY (scope, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX names_by_document ON names (doc);

-- What each commit changed, in order.
CREATE TABLE changes (
    revision INTEGER NOT NULL,
    n        INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    account  TEXT NOT NULL,
    region   TEXT NOT NULL,
    parent   TEXT NOT NULL,
    id       TEXT NOT NULL,
    deleted  INTEGER NOT NULL CHECK (deleted IN (0, 1)),
    PRIMARY KEY (revision, n)
) STRICT, WITHOUT ROWID;

-- Data keys, each wrapped by a sealing key that is not in the database.
CREATE TABLE data_keys (
    id          TEXT PRIMARY KEY,
    purpose     TEXT NOT NULL CHECK (purpose IN ('seal', 'hash')),
    sealing_key TEXT NOT NULL, -- fingerprint of the key that wraps it
    wrapped     BLOB NOT NULL,
    active      INTEGER NOT NULL CHECK (active IN (0, 1))
) STRICT, WITHOUT ROWID;

-- Secrets of documents, encrypted under a data key.
CREATE TABLE secrets (
    doc      INTEGER NOT NULL REFERENCES documents (seq) ON DELETE CASCADE,
    name     TEXT NOT NULL,
    data_key TEXT NOT NULL REFERENCES data_keys (id),
    sealed   BLOB NOT NULL,
    PRIMARY KEY (doc, name)
) STRICT, WITHOUT ROWID;
