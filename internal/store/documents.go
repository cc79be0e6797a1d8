package store

import (
	"database/sql"
	"errors"
	"time"
)

// Get returns the document, or a *KeyError that matches ErrNotFound.
func (tx *Tx) Get(k Key) (Document, error) {
	doc := Document{Key: k}
	var created int64
	err := tx.one([]any{&doc.Revision, &created, &doc.Body}, `SELECT revision, created, body FROM documents
		WHERE kind = $1 AND account = $2 AND region = $3 AND parent = $4 AND id = $5`, k.args()...)
	if err != nil {
		return Document{}, absent(err, k)
	}
	doc.Created = time.Unix(0, created).UTC()
	return doc, nil
}

// Has reports whether the document is there, without reading its body.
func (tx *Tx) Has(k Key) (bool, error) {
	_, err := tx.seq(k)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Create writes a document that must not be there yet; otherwise the error is a
// *KeyError that matches ErrExists, and the transaction goes on.
func (tx *Tx) Create(k Key, body []byte) error {
	if err := k.valid(); err != nil {
		return err
	}
	n, err := tx.exec(`INSERT INTO documents (kind, account, region, parent, id, revision, created, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
		append(k.args(), tx.next(), tx.now.UnixNano(), notNil(body))...)
	if err != nil {
		return err
	}
	if n == 0 {
		return &KeyError{Key: k, Err: ErrExists}
	}
	tx.touch(k, false)
	return nil
}

// Put writes a document, there or not. Its time of creation, names, secrets and
// attachments stay.
func (tx *Tx) Put(k Key, body []byte) error {
	if err := k.valid(); err != nil {
		return err
	}
	_, err := tx.exec(`INSERT INTO documents (kind, account, region, parent, id, revision, created, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (kind, account, region, parent, id)
		DO UPDATE SET revision = excluded.revision, body = excluded.body`,
		append(k.args(), tx.next(), tx.now.UnixNano(), notNil(body))...)
	if err != nil {
		return err
	}
	tx.touch(k, false)
	return nil
}

// Replace writes a document that must still be at this revision; otherwise the
// error is a *ConflictError, and the transaction goes on.
func (tx *Tx) Replace(k Key, revision int64, body []byte) error {
	n, err := tx.exec(`UPDATE documents SET revision = $6, body = $7
		WHERE kind = $1 AND account = $2 AND region = $3 AND parent = $4 AND id = $5 AND revision = $8`,
		append(k.args(), tx.next(), notNil(body), revision)...)
	if err != nil {
		return err
	}
	if n == 0 {
		doc, err := tx.Get(k)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		return &ConflictError{Key: k, Want: revision, Have: doc.Revision}
	}
	tx.touch(k, false)
	return nil
}

// Delete removes a document with its names, secrets and attachments, but not what
// it owns as a parent. The error is a *KeyError that matches ErrNotFound when there
// is none.
func (tx *Tx) Delete(k Key) error {
	seq, err := tx.seq(k)
	if err != nil {
		return err
	}
	if err := tx.detachAll(seq); err != nil {
		return err
	}
	if _, err := tx.exec(`DELETE FROM documents WHERE seq = $1`, seq); err != nil {
		return err
	}
	tx.touch(k, true)
	return nil
}

// DeleteAll removes every document of the kind in scope and returns how many.
func (tx *Tx) DeleteAll(kind string, in Scope) (int, error) {
	var ids []string
	err := tx.query(func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		ids = append(ids, id)
		return err
	}, `SELECT id FROM documents WHERE kind = $1 AND account = $2 AND region = $3 AND parent = $4 ORDER BY seq`,
		kind, in.Account, in.Region, in.Parent)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		if err := tx.Delete(in.Key(kind, id)); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

// Count returns how many documents of the kind are in scope.
func (tx *Tx) Count(kind string, in Scope) (n int, err error) {
	err = tx.one([]any{&n}, `SELECT count(*) FROM documents
		WHERE kind = $1 AND account = $2 AND region = $3 AND parent = $4`,
		kind, in.Account, in.Region, in.Parent)
	return n, err
}

// seq returns the row number of a document, which other tables refer to.
func (tx *Tx) seq(k Key) (seq int64, err error) {
	err = tx.one([]any{&seq}, `SELECT seq FROM documents
		WHERE kind = $1 AND account = $2 AND region = $3 AND parent = $4 AND id = $5`, k.args()...)
	return seq, absent(err, k)
}

// args lists the parts in the order of the index documents_by_id.
func (k Key) args() []any { return []any{k.Kind, k.Account, k.Region, k.Parent, k.ID} }

// absent says which document a missing row was.
func absent(err error, k Key) error {
	if errors.Is(err, sql.ErrNoRows) {
		return &KeyError{Key: k, Err: ErrNotFound}
	}
	return err
}

// notNil keeps an empty value from being stored as NULL.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
