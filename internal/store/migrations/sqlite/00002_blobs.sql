-- +goose Up

-- Large contents, cut into chunks. refs counts who uses a blob: attachments and
-- parts of object versions. A blob that nobody uses is removed some time after
-- idle_since; refs is -1 while that is under way.
CREATE TABLE blobs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    size       INTEGER NOT NULL CHECK (size >= 0), -- bytes
    chunk_size INTEGER NOT NULL CHECK (chunk_size > 0), -- bytes of every chunk but the last
    refs       INTEGER NOT NULL CHECK (refs >= -1),
    idle_since INTEGER NOT NULL -- nanoseconds since 1970
) STRICT;
CREATE INDEX blobs_idle ON blobs (idle_since) WHERE refs <= 0;

CREATE TABLE chunks (
    blob INTEGER NOT NULL REFERENCES blobs (id),
    n    INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX chunks_by_place ON chunks (blob, n);

-- Large contents that belong to a document and that lists should not load.
CREATE TABLE attachments (
    doc  INTEGER NOT NULL REFERENCES documents (seq),
    name TEXT NOT NULL,
    blob INTEGER NOT NULL REFERENCES blobs (id),
    meta BLOB NOT NULL,
    PRIMARY KEY (doc, name)
) STRICT, WITHOUT ROWID;

-- What S3 holds. Names are bytes, so that both databases sort them as S3 does.
-- A greater seq is a newer version.
CREATE TABLE object_versions (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket  INTEGER NOT NULL REFERENCES documents (seq),
    name    BLOB NOT NULL,
    version TEXT NOT NULL,
    latest  INTEGER NOT NULL CHECK (latest IN (0, 1)),
    marker  INTEGER NOT NULL CHECK (marker IN (0, 1)), -- a delete marker
    size    INTEGER NOT NULL CHECK (size >= 0), -- bytes
    etag    TEXT NOT NULL,
    created INTEGER NOT NULL, -- nanoseconds since 1970
    meta    BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX object_versions_by_id ON object_versions (bucket, name, version);
CREATE UNIQUE INDEX object_versions_latest ON object_versions (bucket, name) WHERE latest = 1;
CREATE INDEX object_versions_by_age ON object_versions (bucket, name, seq DESC);

-- The content of an object version is that of its parts, one after another.
CREATE TABLE object_parts (
    object INTEGER NOT NULL REFERENCES object_versions (seq) ON DELETE CASCADE,
    n      INTEGER NOT NULL,
    blob   INTEGER NOT NULL REFERENCES blobs (id),
    PRIMARY KEY (object, n)
) STRICT, WITHOUT ROWID;
