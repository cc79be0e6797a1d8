package store

import (
	"database/sql"
	"errors"
	"fmt"
)

// MetaDev is the name of the fact that --dev made the store.
const MetaDev = "dev"

// Meta returns a fact about the store itself; the error matches ErrNotFound when
// it was never set.
func (tx *Tx) Meta(name string) (value []byte, err error) {
	err = tx.one([]any{&value}, `SELECT value FROM meta WHERE name = $1`, name)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("store: fact %q: %w", name, ErrNotFound)
	}
	return value, err
}

// SetMeta sets a fact about the store. It is no change of a document, so it makes
// no revision.
func (tx *Tx) SetMeta(name string, value []byte) error {
	if err := validText(name); err != nil {
		return fmt.Errorf("store: fact %.40q %w", name, err)
	}
	_, err := tx.exec(`INSERT INTO meta (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, notNil(value))
	return err
}
