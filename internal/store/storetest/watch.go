package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/store"
)

func testWatch(t *testing.T, place Maker) {
	t.Run("from a revision, then live", func(t *testing.T) {
		s := open(t, place)
		first := put(t, s, api("a"), "")
		second := update(t, s, func(tx *store.Tx) error {
			for _, id := range []string{"b", "c", "b"} {
				if err := tx.Put(api(id), nil); err != nil {
					return err
				}
			}
			return tx.Delete(api("a"))
		})
		got := follow(t, s, first)
		want := store.Commit{Revision: second, Changes: []store.Change{
			{Revision: second, Key: api("b")}, {Revision: second, Key: api("c")}, {Revision: second, Key: api("a"), Deleted: true},
		}}
		if diff := cmp.Diff(want, receive(t, got)); diff != "" {
			t.Errorf("past commit (-want +got):\n%s", diff)
		}
		for i := range 10 {
			revision := put(t, s, api(fmt.Sprint(i)), "")
			want := store.Commit{Revision: revision, Changes: []store.Change{{Revision: revision, Key: api(fmt.Sprint(i))}}}
			if diff := cmp.Diff(want, receive(t, got)); diff != "" {
				t.Errorf("live commit (-want +got):\n%s", diff)
			}
		}
	})

	t.Run("every commit of many writers, once and in order", func(t *testing.T) {
		s := open(t, place)
		got := follow(t, s, 0)
		const writers, each = 4, 25
		for w := range writers {
			go func() {
				for i := range each {
					s.Update(context.Background(), func(tx *store.Tx) error {
						return tx.Put(api(fmt.Sprintf("%d-%d", w, i)), nil)
					})
				}
			}()
		}
		for want := int64(1); want <= writers*each; want++ {
			if c := receive(t, got); c.Revision != want {
				t.Fatalf("revision %d, want %d", c.Revision, want)
			}
		}
	})

	t.Run("commits larger than a read stay whole", func(t *testing.T) {
		s := open(t, place)
		const large = 5000
		put(t, s, api("before"), "")
		update(t, s, func(tx *store.Tx) error {
			for i := range large {
				if err := tx.Put(api(fmt.Sprint(i)), nil); err != nil {
					return err
				}
			}
			return nil
		})
		put(t, s, api("after"), "")
		got := follow(t, s, 0)
		for i, want := range []int{1, large, 1} {
			if c := receive(t, got); len(c.Changes) != want {
				t.Errorf("commit %d has %d changes, want %d", i, len(c.Changes), want)
			}
		}
	})

	t.Run("a log that was cut asks to list again", func(t *testing.T) {
		opts := place(t)
		opts.KeepRevisions = 3
		s := openAt(t, opts)
		for i := range 10 {
			put(t, s, api(fmt.Sprint(i)), "")
		}
		if err := s.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		for after, want := range map[int64]error{0: store.ErrRelist, 6: store.ErrRelist, 7: nil, 11: store.ErrRelist} {
			for c, err := range s.Watch(t.Context(), after) {
				if !errors.Is(err, want) || err == nil && c.Revision != after+1 {
					t.Errorf("watch after %d: revision %d, %v; want %v", after, c.Revision, err, want)
				}
				break
			}
		}
	})

	t.Run("closing the store ends a watch", func(t *testing.T) {
		s := openAt(t, place(t))
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for range s.Watch(context.Background(), 0) {
			}
		}()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Fatal("watch goes on")
		}
	})
}

// follow watches until the test ends.
func follow(t *testing.T, s *store.Store, after int64) <-chan store.Commit {
	t.Helper()
	commits := make(chan store.Commit)
	inBackground(t, func(ctx context.Context) {
		for c, err := range s.Watch(ctx, after) {
			if err != nil {
				t.Errorf("watch: %v", err)
				return
			}
			select {
			case commits <- c:
			case <-ctx.Done():
				return
			}
		}
	})
	return commits
}

func receive(t *testing.T, commits <-chan store.Commit) store.Commit {
	t.Helper()
	select {
	case c := <-commits:
		return c
	case <-time.After(10 * time.Second):
		t.Fatal("no commit within 10 s")
		return store.Commit{}
	}
}
