package store_test

import (
	"testing"

	"gatehouse/internal/counter"
	"gatehouse/internal/store"

	"github.com/google/go-cmp/cmp"
)

// The counters' ledger: the latest entry of each quota, node and day is kept, and writing
// counts makes no revision that anybody would follow.
func TestUsageLedger(t *testing.T) {
	s, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := s.Usage()
	first := counter.Entry{Quota: "a", Node: "n1", Day: 20000, Used: 3, Start: 5, Taken: 7, Extra: -1, Limit: 10, ExtraAt: 9}
	other := counter.Entry{Quota: "b", Day: 20001, Used: 1}
	if err := l.Record(t.Context(), []counter.Entry{first, other}); err != nil {
		t.Fatal(err)
	}
	first.Used = 4
	if err := l.Record(t.Context(), []counter.Entry{first}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		quota string
		from  int32
		want  []counter.Entry
	}{
		{"a", 0, []counter.Entry{first}}, {"a", 20001, nil}, {"", 20000, []counter.Entry{first, other}}, {"c", 0, nil},
	} {
		got, err := l.Load(t.Context(), c.quota, c.from)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("Load(%q, %d): %s", c.quota, c.from, diff)
		}
	}
	if err := s.View(t.Context(), func(tx *store.Tx) error {
		if tx.Revision() != 0 {
			t.Errorf("revision %d after writing counts, want 0", tx.Revision())
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
