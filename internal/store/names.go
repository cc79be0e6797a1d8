package store

import (
	"database/sql"
	"errors"
	"fmt"
)

// Claim gives a name to a document, which must exist. A scope is a space of names
// chosen by the caller, such as "domainname/us-east-1"; within it a name has one
// holder at most. Claiming what the document holds already does nothing; when
// another document holds it the error is a *TakenError, and the transaction goes
// on. A deleted document's names are free again.
func (tx *Tx) Claim(scope, name string, k Key) error {
	for _, text := range []string{scope, name} {
		if err := validText(text); err != nil {
			return fmt.Errorf("store: name %.40q in %.40s %w", name, scope, err)
		}
	}
	seq, err := tx.seq(k)
	if err != nil {
		return err
	}
	n, err := tx.exec(`INSERT INTO names (scope, name, doc) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, scope, name, seq)
	if err != nil || n == 1 {
		return err
	}
	holder, err := tx.Holder(scope, name)
	if err != nil {
		return err
	}
	if holder != k {
		return &TakenError{Scope: scope, Name: name, By: holder}
	}
	return nil
}

// Holder returns the document that holds a name; the error matches ErrNotFound
// when nobody does.
func (tx *Tx) Holder(scope, name string) (k Key, err error) {
	err = tx.one([]any{&k.Kind, &k.Account, &k.Region, &k.Parent, &k.ID},
		`SELECT kind, account, region, parent, id FROM names JOIN documents ON seq = doc
		WHERE scope = $1 AND name = $2`, scope, name)
	if errors.Is(err, sql.ErrNoRows) {
		return Key{}, fmt.Errorf("store: name %q in %s: %w", name, scope, ErrNotFound)
	}
	return k, err
}

// Release frees a name; the error matches ErrNotFound when nobody holds it.
func (tx *Tx) Release(scope, name string) error {
	n, err := tx.exec(`DELETE FROM names WHERE scope = $1 AND name = $2`, scope, name)
	if err == nil && n == 0 {
		err = fmt.Errorf("store: name %q in %s: %w", name, scope, ErrNotFound)
	}
	return err
}

// Holders lists the documents that hold names in a scope, by name, at most limit of them.
func (tx *Tx) Holders(scope string, limit int) (found []Key, err error) {
	err = tx.query(func(scan func(...any) error) error {
		var k Key
		err := scan(&k.Kind, &k.Account, &k.Region, &k.Parent, &k.ID)
		found = append(found, k)
		return err
	}, `SELECT kind, account, region, parent, id FROM names JOIN documents ON seq = doc
		WHERE scope = $1 ORDER BY name LIMIT $2`, scope, limit)
	return found, err
}
