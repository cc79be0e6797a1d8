package store

import (
	"encoding/json"
	"fmt"
	"iter"
	"time"
)

// A Collection reads and writes the documents of one kind as JSON of T. It is a
// value without state: declare one per kind as a package variable.
//
//	var restAPIs = store.Collection[model.RestAPI]{Kind: "restapi"}
type Collection[T any] struct {
	Kind string
}

// An Item is a decoded document.
type Item[T any] struct {
	Key      Key
	Revision int64     // of the commit that wrote it last
	Created  time.Time // when it was first written, UTC
	Value    T
}

// Key returns the key of the document with this id in scope.
func (c Collection[T]) Key(in Scope, id string) Key { return in.Key(c.Kind, id) }

// Get returns the value of a document, or an error that matches ErrNotFound.
func (c Collection[T]) Get(tx *Tx, in Scope, id string) (T, error) {
	item, err := c.Item(tx, in, id)
	return item.Value, err
}

// Item is Get with the document's revision and time of creation.
func (c Collection[T]) Item(tx *Tx, in Scope, id string) (Item[T], error) {
	doc, err := tx.Get(c.Key(in, id))
	if err != nil {
		return Item[T]{}, err
	}
	return c.decode(doc)
}

// Create writes a document that must not be there yet: ErrExists otherwise.
func (c Collection[T]) Create(tx *Tx, in Scope, id string, value T) error {
	return c.write(in, id, value, tx.Create)
}

// Put writes a document, there or not.
func (c Collection[T]) Put(tx *Tx, in Scope, id string, value T) error {
	return c.write(in, id, value, tx.Put)
}

// Replace writes the item back if its document is still at the item's revision;
// the error matches ErrConflict otherwise.
func (c Collection[T]) Replace(tx *Tx, item Item[T]) error {
	return c.write(item.Key.Scope(), item.Key.ID, item.Value, func(k Key, body []byte) error {
		return tx.Replace(k, item.Revision, body)
	})
}

// Delete removes a document with its names, secrets and attachments; the error
// matches ErrNotFound when there is none.
func (c Collection[T]) Delete(tx *Tx, in Scope, id string) error { return tx.Delete(c.Key(in, id)) }

// DeleteAll removes every document of the kind in scope and returns how many.
func (c Collection[T]) DeleteAll(tx *Tx, in Scope) (int, error) { return tx.DeleteAll(c.Kind, in) }

// List returns one page and the cursor of the next, "" after the last.
func (c Collection[T]) List(tx *Tx, in Scope, page Page) ([]Item[T], string, error) {
	docs, next, err := tx.List(c.Kind, in, page)
	if err != nil {
		return nil, "", err
	}
	items := make([]Item[T], len(docs))
	for i, doc := range docs {
		if items[i], err = c.decode(doc); err != nil {
			return nil, "", err
		}
	}
	return items, next, nil
}

// In yields every document in scope, in order of creation. It stops after
// yielding an error.
func (c Collection[T]) In(tx *Tx, in Scope) iter.Seq2[Item[T], error] {
	return c.decoded(tx.In(c.Kind, in))
}

// All yields every document of the kind in all accounts, regions and parents, in
// order of creation. It stops after yielding an error.
func (c Collection[T]) All(tx *Tx) iter.Seq2[Item[T], error] { return c.decoded(tx.All(c.Kind)) }

// Parents returns, in order, the parents under which an account and region hold a
// document with an id.
func (c Collection[T]) Parents(tx *Tx, in Scope, id string) ([]string, error) {
	return tx.Parents(c.Kind, in, id)
}

// Count returns how many documents of the kind are in scope.
func (c Collection[T]) Count(tx *Tx, in Scope) (int, error) { return tx.Count(c.Kind, in) }

func (c Collection[T]) write(in Scope, id string, value T, put func(Key, []byte) error) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("store: encode %s: %w", c.Key(in, id), err)
	}
	return put(c.Key(in, id), body)
}

func (c Collection[T]) decode(doc Document) (Item[T], error) {
	item := Item[T]{Key: doc.Key, Revision: doc.Revision, Created: doc.Created}
	if err := json.Unmarshal(doc.Body, &item.Value); err != nil {
		return item, fmt.Errorf("store: decode %s: %w", doc.Key, err)
	}
	return item, nil
}

func (c Collection[T]) decoded(docs iter.Seq2[Document, error]) iter.Seq2[Item[T], error] {
	return func(yield func(Item[T], error) bool) {
		for doc, err := range docs {
			var item Item[T]
			if err == nil {
				item, err = c.decode(doc)
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}
