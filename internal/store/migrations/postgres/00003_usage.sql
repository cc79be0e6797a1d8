-- +goose Up

-- What each node counted against each quota on each day.
CREATE TABLE usage (
    quota    TEXT NOT NULL,
    node     TEXT NOT NULL,
    day      BIGINT NOT NULL, -- days since 1970-01-01, UTC
    used     BIGINT NOT NULL,
    start    BIGINT NOT NULL, -- first second of the period, Unix seconds
    taken    BIGINT NOT NULL,
    extra    BIGINT NOT NULL,
    quantity BIGINT NOT NULL, -- the limit when the row was written
    extra_at BIGINT NOT NULL, -- Unix nanoseconds
    PRIMARY KEY (quota, day, node)
);

-- +goose Down
DROP TABLE usage;
