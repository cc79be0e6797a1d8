package storetest

import (
	"testing"
	"time"

	"gatehouse/internal/store"

	"github.com/google/go-cmp/cmp"
)

// Events are done by one node at a time, and by another when that is gone.
func testEvents(t *testing.T, place Maker) {
	opts := place(t)
	s := openAt(t, opts)
	alone := opts.URL == ""
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Second)
	a, b := s.Events("a"), s.Events("b")
	write := func(e *store.Events, until time.Time, save []store.Event, done ...string) {
		t.Helper()
		if err := e.Write(t.Context(), save, until, done); err != nil {
			t.Fatal(err)
		}
	}
	take := func(e *store.Events, limit int, want ...store.Event) {
		t.Helper()
		got, err := e.Take(t.Context(), limit, soon)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
	one, two, three := store.Event{ID: "1", Body: []byte("one")}, store.Event{ID: "2", Body: []byte("two")}, store.Event{ID: "3", Body: []byte("three")}
	write(a, soon, []store.Event{one, two, three})
	one.Body = []byte("one, tried")
	write(a, soon, []store.Event{one}, "3", "unknown")
	take(a, 10)
	if alone { // b is a later run of the only node there is
		take(b, 1, one)
		take(b, 10, two)
	} else {
		take(b, 10)
		if err := a.Hold(t.Context(), past); err != nil {
			t.Fatal(err)
		}
		take(b, 1, one)
		take(b, 10, two)
	}
	// a comes back late: it neither changes what is b's now, nor gets it.
	write(a, past, []store.Event{{ID: "1", Body: []byte("stale")}})
	if err := b.Hold(t.Context(), past); err != nil {
		t.Fatal(err)
	}
	take(s.Events("c"), 10, one, two)
	write(s.Events("c"), soon, nil, "1", "2")
	take(s.Events("d"), 10)
	view(t, s, func(tx *store.Tx) error {
		if tx.Revision() != 0 {
			t.Errorf("revision %d after writing events, want 0", tx.Revision())
		}
		return nil
	})
}
