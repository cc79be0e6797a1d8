package storetest

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"

	"gatehouse/internal/store"
)

func testTransactions(t *testing.T, place Maker) {
	t.Run("an error undoes everything and comes back", func(t *testing.T) {
		s := open(t, place)
		before := put(t, s, api("a"), "1")
		mine := errors.New("mine")
		_, err := s.Update(t.Context(), func(tx *store.Tx) error {
			if err := tx.Put(api("a"), []byte("2")); err != nil {
				return err
			}
			if err := tx.Put(api("b"), nil); err != nil {
				return err
			}
			return mine
		})
		if err != mine {
			t.Errorf("error %v, want the function's own", err)
		}
		if got := get(t, s, api("a")); string(got.Body) != "1" || got.Revision != before {
			t.Errorf("document is %q at %d, want 1 at %d", got.Body, got.Revision, before)
		}
		if next := put(t, s, api("c"), ""); next != before+1 {
			t.Errorf("revision %d after an undone one, want %d", next, before+1)
		}
	})

	t.Run("a panic undoes everything and the store goes on", func(t *testing.T) {
		s := open(t, place)
		func() {
			defer func() { recover() }()
			s.Update(t.Context(), func(tx *store.Tx) error {
				if err := tx.Put(api("a"), nil); err != nil {
					return err
				}
				panic("mine")
			})
		}()
		put(t, s, api("b"), "")
		view(t, s, func(tx *store.Tx) error {
			if has, err := tx.Has(api("a")); has || err != nil {
				t.Errorf("document of the panicking update: %v, %v", has, err)
			}
			return nil
		})
	})

	t.Run("an update that writes nothing makes no revision", func(t *testing.T) {
		s := open(t, place)
		if revision := update(t, s, func(tx *store.Tx) error { return nil }); revision != 0 {
			t.Errorf("revision %d, want 0", revision)
		}
	})

	t.Run("an update reads what it wrote", func(t *testing.T) {
		s := open(t, place)
		update(t, s, func(tx *store.Tx) error {
			if err := tx.Put(api("a"), []byte("1")); err != nil {
				return err
			}
			doc, err := tx.Get(api("a"))
			if string(doc.Body) != "1" {
				t.Errorf("reads %q", doc.Body)
			}
			return err
		})
	})

	t.Run("a view is one snapshot and refuses writes", func(t *testing.T) {
		s := open(t, place)
		first := put(t, s, api("a"), "1")
		view(t, s, func(tx *store.Tx) error {
			put(t, s, api("a"), "2")
			put(t, s, api("b"), "")
			doc, err := tx.Get(api("a"))
			if string(doc.Body) != "1" || tx.Revision() != first {
				t.Errorf("sees %q at %d, want 1 at %d", doc.Body, tx.Revision(), first)
			}
			if n, err := tx.Count("restapi", home); n != 1 || err != nil {
				t.Errorf("counts %d documents (%v), want 1", n, err)
			}
			if err := tx.Put(api("c"), nil); !errors.Is(err, store.ErrReadOnly) {
				t.Errorf("put: %v, want ErrReadOnly", err)
			}
			return err
		})
	})

	t.Run("no update is lost among many writers", func(t *testing.T) {
		s := open(t, place)
		put(t, s, api("counter"), "0")
		const writers, each = 8, 15
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for range each {
					_, err := s.Update(context.Background(), func(tx *store.Tx) error {
						doc, err := tx.Get(api("counter"))
						if err != nil {
							return err
						}
						n, err := strconv.Atoi(string(doc.Body))
						if err != nil {
							return err
						}
						return tx.Put(api("counter"), []byte(strconv.Itoa(n+1)))
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if got := string(get(t, s, api("counter")).Body); got != strconv.Itoa(writers*each) {
			t.Errorf("counter is %s, want %d", got, writers*each)
		}
	})

	// Two updates each read both documents and write one, which keeps "at least one
	// is on" under any serial order, and breaks it under snapshot isolation.
	t.Run("no write skew", func(t *testing.T) {
		s := open(t, place)
		for range 20 {
			put(t, s, api("x"), "on")
			put(t, s, api("y"), "on")
			var wg sync.WaitGroup
			for _, own := range []string{"x", "y"} {
				wg.Go(func() {
					_, err := s.Update(context.Background(), func(tx *store.Tx) error {
						on := 0
						for _, id := range []string{"x", "y"} {
							doc, err := tx.Get(api(id))
							if err != nil {
								return err
							}
							if string(doc.Body) == "on" {
								on++
							}
						}
						if on < 2 {
							return nil
						}
						return tx.Put(api(own), []byte("off"))
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if string(get(t, s, api("x")).Body) == "off" && string(get(t, s, api("y")).Body) == "off" {
				t.Fatal("both updates went through: write skew")
			}
		}
	})

	t.Run("views within updates do not starve", func(t *testing.T) {
		s := open(t, place)
		put(t, s, api("a"), "")
		var wg sync.WaitGroup
		for range 40 { // more than there are connections
			wg.Go(func() {
				_, err := s.Update(t.Context(), func(tx *store.Tx) error {
					return s.View(t.Context(), func(inner *store.Tx) error {
						_, err := inner.Get(api("a"))
						return errors.Join(err, tx.Put(api("b"), nil))
					})
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})

	t.Run("a cancelled context ends an update without effect", func(t *testing.T) {
		s := open(t, place)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := s.Update(ctx, func(tx *store.Tx) error {
			if err := tx.Put(api("a"), nil); err != nil {
				return err
			}
			cancel()
			return tx.Put(api("b"), nil)
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want context.Canceled", err)
		}
		view(t, s, func(tx *store.Tx) error {
			if n, err := tx.Count("restapi", home); n != 0 || err != nil {
				t.Errorf("%d documents (%v), want none", n, err)
			}
			return nil
		})
	})

	t.Run("a closed store says so", func(t *testing.T) {
		s := openAt(t, place(t))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Update(t.Context(), func(*store.Tx) error { return nil }); err == nil {
			t.Error("update after close succeeded")
		}
	})
}
