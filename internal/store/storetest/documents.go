package storetest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/store"
)

func testDocuments(t *testing.T, place Maker) {
	t.Run("written, read, replaced, deleted", func(t *testing.T) {
		now := time.Date(2026, 11, 23, 4, 5, 6, 789, time.UTC)
		opts := place(t)
		opts.Clock = func() time.Time { return now }
		s := openAt(t, opts)

		first := put(t, s, api("a"), `{"name":"first"}`)
		now = now.Add(time.Hour)
		second := put(t, s, api("a"), `{"name":"second"}`)
		if second != first+1 {
			t.Errorf("revisions %d, %d: want consecutive", first, second)
		}
		want := store.Document{Key: api("a"), Revision: second, Created: now.Add(-time.Hour), Body: []byte(`{"name":"second"}`)}
		if diff := cmp.Diff(want, get(t, s, api("a"))); diff != "" {
			t.Errorf("document (-want +got):\n%s", diff)
		}
		update(t, s, func(tx *store.Tx) error { return tx.Delete(api("a")) })
		err := s.View(t.Context(), func(tx *store.Tx) error { _, err := tx.Get(api("a")); return err })
		var missing *store.KeyError
		if !errors.Is(err, store.ErrNotFound) || !errors.As(err, &missing) || missing.Key != api("a") {
			t.Errorf("get of a deleted document: %v, want a KeyError of ErrNotFound", err)
		}
	})

	t.Run("every part of the key tells documents apart", func(t *testing.T) {
		s := open(t, place)
		base := store.Key{Account: "1", Region: "r", Kind: "k", Parent: "p", ID: "i"}
		keys := []store.Key{base, base, base, base, base, base}
		keys[1].Account, keys[2].Region, keys[3].Kind, keys[4].Parent, keys[5].ID = "2", "", "kk", "", "I"
		for _, k := range keys {
			put(t, s, k, k.String())
		}
		for _, k := range keys {
			if got := string(get(t, s, k).Body); got != k.String() {
				t.Errorf("%s holds %q", k, got)
			}
		}
	})

	t.Run("create refuses what exists", func(t *testing.T) {
		s := open(t, place)
		put(t, s, api("a"), "1")
		update(t, s, func(tx *store.Tx) error {
			if err := tx.Create(api("a"), []byte("2")); !errors.Is(err, store.ErrExists) {
				t.Errorf("create of an existing document: %v, want ErrExists", err)
			}
			return tx.Create(api("b"), nil) // the transaction goes on
		})
		if got := string(get(t, s, api("a")).Body); got != "1" {
			t.Errorf("existing document became %q", got)
		}
		if got := get(t, s, api("b")).Body; len(got) != 0 {
			t.Errorf("empty body became %q", got)
		}
	})

	t.Run("replace wants the revision that was read", func(t *testing.T) {
		s := open(t, place)
		old := put(t, s, api("a"), "1")
		current := put(t, s, api("a"), "2")
		update(t, s, func(tx *store.Tx) error {
			var conflict *store.ConflictError
			err := tx.Replace(api("a"), old, []byte("3"))
			if !errors.As(err, &conflict) || conflict.Have != current || !errors.Is(err, store.ErrConflict) {
				t.Errorf("replace of an old revision: %v, want a conflict with revision %d", err, current)
			}
			if err := tx.Replace(api("gone"), old, nil); !errors.Is(err, store.ErrConflict) {
				t.Errorf("replace of nothing: %v, want ErrConflict", err)
			}
			return tx.Replace(api("a"), current, []byte("4"))
		})
		if got := string(get(t, s, api("a")).Body); got != "4" {
			t.Errorf("document is %q, want 4", got)
		}
	})

	t.Run("keys that a database cannot hold are refused", func(t *testing.T) {
		s := open(t, place)
		for name, k := range map[string]store.Key{
			"no kind":     {ID: "a"},
			"no id":       {Kind: "k"},
			"NUL":         api("a\x00b"),
			"not UTF-8":   api("a\xffb"),
			"id too long": api(strings.Repeat("x", store.MaxKeyPart+1)),
		} {
			if _, err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.Put(k, nil) }); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
		long := api(strings.Repeat("x", store.MaxKeyPart))
		put(t, s, long, "ok")
		if got := string(get(t, s, long).Body); got != "ok" {
			t.Errorf("longest id holds %q", got)
		}
	})

	t.Run("everything is there after reopening", func(t *testing.T) {
		opts := place(t)
		s := openAt(t, opts)
		revision := put(t, s, api("a"), "kept")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		again := openAt(t, opts)
		if got := get(t, again, api("a")); string(got.Body) != "kept" || got.Revision != revision {
			t.Errorf("after reopening: %+v, want revision %d", got, revision)
		}
		if next := put(t, again, api("b"), ""); next != revision+1 {
			t.Errorf("next revision is %d, want %d", next, revision+1)
		}
	})

	t.Run("collections decode and name what they cannot decode", func(t *testing.T) {
		type thing struct{ Name string }
		things := store.Collection[thing]{Kind: "thing"}
		s := open(t, place)
		update(t, s, func(tx *store.Tx) error {
			if err := things.Create(tx, home, "a", thing{"one"}); err != nil {
				return err
			}
			if err := things.Put(tx, home.Of("a"), "b", thing{"two"}); err != nil {
				return err
			}
			return tx.Put(home.Key("thing", "bad"), []byte("{"))
		})
		view(t, s, func(tx *store.Tx) error {
			got, err := things.Get(tx, home.Of("a"), "b")
			if got.Name != "two" || err != nil {
				t.Errorf("get: %v, %v", got, err)
			}
			if _, err := things.Get(tx, home, "bad"); err == nil || !strings.Contains(err.Error(), `thing "bad"`) {
				t.Errorf("damaged document: %v, want an error naming it", err)
			}
			return nil
		})
		var stale store.Item[thing]
		update(t, s, func(tx *store.Tx) (err error) {
			stale, err = things.Item(tx, home, "a")
			return err
		})
		update(t, s, func(tx *store.Tx) error { return things.Replace(tx, stale) })
		if _, err := s.Update(t.Context(), func(tx *store.Tx) error { return things.Replace(tx, stale) }); !errors.Is(err, store.ErrConflict) {
			t.Errorf("second replace of one item: %v, want ErrConflict", err)
		}
	})

	t.Run("facts about the store make no revision", func(t *testing.T) {
		s := open(t, place)
		if revision := update(t, s, func(tx *store.Tx) error { return tx.SetMeta(store.MetaDev, []byte("1")) }); revision != 0 {
			t.Errorf("revision %d, want 0", revision)
		}
		view(t, s, func(tx *store.Tx) error {
			if got, err := tx.Meta(store.MetaDev); string(got) != "1" || err != nil {
				t.Errorf("fact is %q, %v", got, err)
			}
			if _, err := tx.Meta("other"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("unknown fact: %v, want ErrNotFound", err)
			}
			return nil
		})
	})
}
