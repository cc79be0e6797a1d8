package storetest

import (
	"errors"
	"slices"
	"testing"

	"gatehouse/internal/store"
)

func testNames(t *testing.T, place Maker) {
	s := open(t, place)
	put(t, s, api("a"), "")
	put(t, s, api("b"), "")

	update(t, s, func(tx *store.Tx) error {
		if err := tx.Claim("domains", "x.test", api("a")); err != nil {
			return err
		}
		return tx.Claim("domains", "x.test", api("a")) // its own: nothing happens
	})
	update(t, s, func(tx *store.Tx) error {
		var taken *store.TakenError
		err := tx.Claim("domains", "x.test", api("b"))
		if !errors.Is(err, store.ErrTaken) || !errors.As(err, &taken) || taken.By != api("a") {
			t.Errorf("claim of a taken name: %v, want it taken by %s", err, api("a"))
		}
		if err := tx.Claim("domains", "y.test", api("nobody")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("claim for no document: %v, want ErrNotFound", err)
		}
		return tx.Claim("other scope", "x.test", api("b"))
	})
	update(t, s, func(tx *store.Tx) error {
		if err := tx.Claim("domains", "a.test", api("b")); err != nil {
			return err
		}
		for limit, want := range map[int][]store.Key{1: {api("b")}, 9: {api("b"), api("a")}} {
			if got, err := tx.Holders("domains", limit); err != nil || !slices.Equal(got, want) {
				t.Errorf("holders, at most %d: %v, %v; want %v", limit, got, err, want)
			}
		}
		return tx.Release("domains", "a.test")
	})
	holder := func(scope, name string) (k store.Key, err error) {
		viewErr := s.View(t.Context(), func(tx *store.Tx) error {
			k, err = tx.Holder(scope, name)
			return nil
		})
		return k, errors.Join(err, viewErr)
	}
	if k, err := holder("domains", "x.test"); k != api("a") || err != nil {
		t.Errorf("holder is %s, %v; want %s", k, err, api("a"))
	}
	update(t, s, func(tx *store.Tx) error { return tx.Put(api("a"), []byte("changed")) })
	if k, err := holder("domains", "x.test"); k != api("a") || err != nil {
		t.Errorf("after a change the holder is %s, %v; want %s", k, err, api("a"))
	}
	update(t, s, func(tx *store.Tx) error { return tx.Delete(api("a")) })
	if _, err := holder("domains", "x.test"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("name of a deleted document: %v, want ErrNotFound", err)
	}
	update(t, s, func(tx *store.Tx) error {
		if err := tx.Release("other scope", "x.test"); err != nil {
			return err
		}
		if err := tx.Release("other scope", "x.test"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("second release: %v, want ErrNotFound", err)
		}
		return nil
	})
}
