-- +goose Up

-- Finds the parents of an id: the usage plans that an API key is in.
CREATE INDEX documents_by_child ON documents (kind, account, region, id, parent);

-- +goose Down
DROP INDEX documents_by_child;
