-- +goose Up

-- What was accepted to be done later: asynchronous calls of functions. Whoever holds a row
-- does it; a row whose hold has ended belongs to whoever takes it.
CREATE TABLE events (
    id         TEXT NOT NULL PRIMARY KEY,
    holder     TEXT NOT NULL,
    held_until BIGINT NOT NULL, -- Unix nanoseconds
    body       BYTEA NOT NULL
);
CREATE INDEX events_by_hold ON events (held_until);

-- +goose Down
DROP TABLE events;
