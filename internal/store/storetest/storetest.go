// Package storetest is the suite that every database behind internal/store must
// pass. Tests call Run once per database.
package storetest

import (
	"context"
	"testing"

	"gatehouse/internal/store"
)

// A Maker prepares a new, empty place for a store: options that Open accepts any
// number of times, always for the same data. It cleans up when t ends.
type Maker func(t *testing.T) store.Options

// Run runs the whole suite; each test gets a place of its own.
func Run(t *testing.T, place Maker) {
	for _, part := range []struct {
		name string
		test func(*testing.T, Maker)
	}{
		{"Documents", testDocuments},
		{"Transactions", testTransactions},
		{"Lists", testLists},
		{"Names", testNames},
		{"Watch", testWatch},
		{"Secrets", testSecrets},
		{"Blobs", testBlobs},
		{"Objects", testObjects},
		{"Events", testEvents},
		{"Backup", testBackup},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, place) })
	}
}

// open opens a store at a new place and closes it when t ends.
func open(t *testing.T, place Maker) *store.Store {
	t.Helper()
	return openAt(t, place(t))
}

func openAt(t *testing.T, opts store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// update commits fn or fails the test.
func update(t *testing.T, s *store.Store, fn func(*store.Tx) error) int64 {
	t.Helper()
	revision, err := s.Update(t.Context(), fn)
	if err != nil {
		t.Fatalf("update: %v", err)
	}
	return revision
}

// view runs fn or fails the test.
func view(t *testing.T, s *store.Store, fn func(*store.Tx) error) {
	t.Helper()
	if err := s.View(t.Context(), fn); err != nil {
		t.Fatalf("view: %v", err)
	}
}

// put commits one document.
func put(t *testing.T, s *store.Store, k store.Key, body string) int64 {
	t.Helper()
	return update(t, s, func(tx *store.Tx) error { return tx.Put(k, []byte(body)) })
}

// get reads one document.
func get(t *testing.T, s *store.Store, k store.Key) (doc store.Document) {
	t.Helper()
	view(t, s, func(tx *store.Tx) (err error) {
		doc, err = tx.Get(k)
		return err
	})
	return doc
}

// home is the scope that most tests use.
var home = store.Scope{Account: "000000000000", Region: "us-east-1"}

func api(id string) store.Key { return home.Key("restapi", id) }

// inBackground runs fn in a goroutine that the test waits for.
func inBackground(t *testing.T, fn func(context.Context)) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}
