package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/store"
)

func testLists(t *testing.T, place Maker) {
	t.Run("pages in either order", func(t *testing.T) {
		s := open(t, place)
		created := []string{"m", "B", "z", "a", "é", "a-b", "ab"}
		for _, id := range created {
			put(t, s, api(id), id)
		}
		put(t, s, home.Of("a").Key("restapi", "elsewhere"), "")
		for _, c := range []struct {
			order store.Order
			want  []string
		}{
			{store.ByCreation, created},
			{store.ByID, []string{"B", "a", "a-b", "ab", "m", "z", "é"}}, // by bytes, not by language
		} {
			for limit := 0; limit <= len(created)+1; limit++ {
				if diff := cmp.Diff(c.want, walk(t, s, c.order, limit, nil)); diff != "" {
					t.Errorf("order %d, limit %d (-want +got):\n%s", c.order, limit, diff)
				}
			}
		}
	})

	t.Run("a page survives the deletion of its cursor's document", func(t *testing.T) {
		for _, order := range []store.Order{store.ByCreation, store.ByID} {
			s := open(t, place)
			for _, id := range []string{"a", "b", "c", "d"} {
				put(t, s, api(id), "")
			}
			got := walk(t, s, order, 2, func(page int) {
				if page == 1 {
					update(t, s, func(tx *store.Tx) error { return tx.Delete(api("b")) })
				}
			})
			if diff := cmp.Diff([]string{"a", "b", "c", "d"}, got); diff != "" {
				t.Errorf("order %d (-want +got):\n%s", order, diff)
			}
		}
	})

	t.Run("a foreign cursor is refused", func(t *testing.T) {
		s := open(t, place)
		for _, page := range []store.Page{
			{After: "x"}, {After: "ia"}, {After: "c"}, {After: "c-1"}, {After: "c!"}, {After: "é"},
			{Order: store.ByID, After: "c1"}, {Order: store.ByID, After: "i\x00"},
		} {
			view(t, s, func(tx *store.Tx) error {
				if _, _, err := tx.List("restapi", home, page); !errors.Is(err, store.ErrCursor) {
					t.Errorf("%+v: %v, want ErrCursor", page, err)
				}
				return nil
			})
		}
	})

	t.Run("whole kinds in batches, deleting on the way", func(t *testing.T) {
		s := open(t, place)
		const n = 1100
		update(t, s, func(tx *store.Tx) error {
			for i := range n {
				k := store.Key{Account: fmt.Sprint(i % 3), Region: fmt.Sprint("r", i%2), Kind: "thing", Parent: fmt.Sprint(i % 5), ID: fmt.Sprint(i)}
				if err := tx.Create(k, []byte(k.ID)); err != nil {
					return err
				}
			}
			return tx.Create(home.Key("things", "other"), nil)
		})
		seen := 0
		update(t, s, func(tx *store.Tx) error {
			seen = 0
			for doc, err := range tx.All("thing") {
				if err != nil {
					return err
				}
				if doc.ID != fmt.Sprint(seen) || string(doc.Body) != doc.ID {
					return fmt.Errorf("document %d is %s with %q", seen, doc.Key, doc.Body)
				}
				seen++
				if err := tx.Delete(doc.Key); err != nil {
					return err
				}
			}
			return nil
		})
		view(t, s, func(tx *store.Tx) error {
			for doc, err := range tx.All("thing") {
				t.Errorf("still there: %s, %v", doc.Key, err)
			}
			return nil
		})
		if seen != n {
			t.Errorf("saw %d documents, want %d", seen, n)
		}
	})

	t.Run("parents of an id", func(t *testing.T) { testParents(t, place) })

	t.Run("one scope, counted and emptied", func(t *testing.T) {
		s := open(t, place)
		resources := store.Collection[string]{Kind: "resource"}
		update(t, s, func(tx *store.Tx) error {
			for i := range 5 {
				if err := resources.Put(tx, home.Of("api1"), fmt.Sprint(i), "x"); err != nil {
					return err
				}
			}
			return resources.Put(tx, home.Of("api2"), "0", "y")
		})
		update(t, s, func(tx *store.Tx) error {
			var got []string
			for item, err := range resources.In(tx, home.Of("api1")) {
				if err != nil {
					return err
				}
				got = append(got, item.Key.ID)
			}
			if diff := cmp.Diff([]string{"0", "1", "2", "3", "4"}, got); diff != "" {
				t.Errorf("in scope (-want +got):\n%s", diff)
			}
			if n, err := resources.DeleteAll(tx, home.Of("api1")); n != 5 || err != nil {
				t.Errorf("deleted %d, %v; want 5", n, err)
			}
			if n, err := resources.Count(tx, home.Of("api2")); n != 1 || err != nil {
				t.Errorf("other scope holds %d, %v; want 1", n, err)
			}
			return nil
		})
	})
}

func testParents(t *testing.T, place Maker) {
	s := open(t, place)
	members := store.Collection[string]{Kind: "member"}
	elsewhere := store.Scope{Account: home.Account, Region: "eu-west-1"}
	update(t, s, func(tx *store.Tx) error {
		var errs []error
		for _, plan := range []string{"silver", "gold"} {
			errs = append(errs, members.Put(tx, home.Of(plan), "key1", "x"))
		}
		errs = append(errs, members.Put(tx, home.Of("gold"), "key2", "x"), members.Put(tx, home, "key1", "without a parent"),
			members.Put(tx, elsewhere.Of("bronze"), "key1", "x"), tx.Put(home.Of("tin").Key("other", "key1"), []byte("{}")))
		return errors.Join(errs...)
	})
	for id, want := range map[string][]string{"key1": {"gold", "silver"}, "key2": {"gold"}, "key3": nil} {
		view(t, s, func(tx *store.Tx) error {
			got, err := members.Parents(tx, home, id)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("parents of %s (-want +got):\n%s", id, diff)
			}
			return err
		})
	}
}

// walk lists the ids of all APIs page by page; between is called before each page.
func walk(t *testing.T, s *store.Store, order store.Order, limit int, between func(page int)) (ids []string) {
	t.Helper()
	things := store.Page{Order: order, Limit: limit}
	for page := 0; ; page++ {
		if between != nil {
			between(page)
		}
		view(t, s, func(tx *store.Tx) error {
			docs, next, err := tx.List("restapi", home, things)
			for _, doc := range docs {
				ids = append(ids, doc.ID)
			}
			if limit > 0 && len(docs) > limit {
				t.Errorf("page of %d, limit %d", len(docs), limit)
			}
			things.After = next
			return err
		})
		if things.After == "" || page > 100 {
			return ids
		}
	}
}
