-- +goose Up

-- What each node counted against each quota on each day.
CREATE TABLE usage (
    quota    TEXT NOT NULL,
    node     TEXT NOT NULL,
    day      INTEGER NOT NULL, -- days since 1970-01-01, UTC
    used     INTEGER NOT NULL,
    start    INTEGER NOT NULL, -- first second of the period, Unix seconds
    taken    INTEGER NOT NULL,
    extra    INTEGER NOT NULL,
    quantity INTEGER NOT NULL, -- the limit when the row was written
    extra_at INTEGER NOT NULL, -- Unix nanoseconds
    PRIMARY KEY (quota, day, node)
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE usage;
