package store

import (
	"database/sql"
	"errors"
	"fmt"
)

// An Attachment is a large content that belongs to a document and is loaded apart
// from it: the snapshot of a deployment, the code of a function, a part of an
// upload.
type Attachment struct {
	Name string // unique within the document
	Meta []byte // small; whatever the caller wants to know without reading the content
	Blob Blob
}

// Attach gives an attachment to a document, which must exist. It replaces an
// earlier one of that name.
func (tx *Tx) Attach(k Key, a Attachment) error {
	if err := validText(a.Name); err != nil {
		return fmt.Errorf("store: attachment %.40q %w", a.Name, err)
	}
	seq, err := tx.seq(k)
	if err != nil {
		return err
	}
	id, err := tx.retain(a.Blob)
	if err != nil {
		return err
	}
	if err := tx.release(`SELECT blob FROM attachments WHERE doc = $1 AND name = $2`, seq, a.Name); err != nil {
		return err
	}
	_, err = tx.exec(`INSERT INTO attachments (doc, name, blob, meta) VALUES ($1, $2, $3, $4)
		ON CONFLICT (doc, name) DO UPDATE SET blob = excluded.blob, meta = excluded.meta`, seq, a.Name, id, notNil(a.Meta))
	if err != nil {
		return err
	}
	tx.touch(k, false)
	return nil
}

// Attachment returns an attachment of a document, whose content OpenBlobs reads;
// the error matches ErrNotFound when there is none of that name.
func (tx *Tx) Attachment(k Key, name string) (Attachment, error) {
	a := Attachment{Name: name}
	err := tx.one([]any{&a.Meta, &a.Blob.id, &a.Blob.Size}, `SELECT meta, blobs.id, blobs.size
		FROM documents JOIN attachments ON doc = seq JOIN blobs ON blobs.id = blob
		WHERE kind = $1 AND account = $2 AND region = $3 AND parent = $4 AND documents.id = $5 AND name = $6`,
		append(k.args(), name)...)
	if errors.Is(err, sql.ErrNoRows) {
		return Attachment{}, fmt.Errorf("store: attachment %q of %s: %w", name, k, ErrNotFound)
	}
	return a, err
}

// Attachments lists the attachments of a document by name, those after the name
// given and at most so many; none when the document does not exist.
func (tx *Tx) Attachments(k Key, after string, limit int) (found []Attachment, err error) {
	err = tx.query(func(scan func(...any) error) error {
		var a Attachment
		err := scan(&a.Name, &a.Meta, &a.Blob.id, &a.Blob.Size)
		found = append(found, a)
		return err
	}, `SELECT name, meta, blobs.id, blobs.size
		FROM documents JOIN attachments ON doc = seq JOIN blobs ON blobs.id = blob
		WHERE kind = $1 AND account = $2 AND region = $3 AND parent = $4 AND documents.id = $5 AND name > $6
		ORDER BY name LIMIT $7`, append(k.args(), after, limit)...)
	return found, err
}

// Detach removes an attachment; the error matches ErrNotFound when there is none.
func (tx *Tx) Detach(k Key, name string) error {
	seq, err := tx.seq(k)
	if err != nil {
		return err
	}
	if err := tx.release(`SELECT blob FROM attachments WHERE doc = $1 AND name = $2`, seq, name); err != nil {
		return err
	}
	n, err := tx.exec(`DELETE FROM attachments WHERE doc = $1 AND name = $2`, seq, name)
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("store: attachment %q of %s: %w", name, k, ErrNotFound)
	}
	tx.touch(k, false)
	return nil
}

// detachAll removes every attachment of the document with this row number.
func (tx *Tx) detachAll(seq int64) error {
	if err := tx.release(`SELECT blob FROM attachments WHERE doc = $1`, seq); err != nil {
		return err
	}
	_, err := tx.exec(`DELETE FROM attachments WHERE doc = $1`, seq)
	return err
}
