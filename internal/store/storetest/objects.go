package storetest

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gatehouse/internal/store"
)

func testObjects(t *testing.T, place Maker) {
	bucket := store.Key{Account: "000000000000", Kind: "bucket", ID: "b"}
	putObject := func(t *testing.T, s *store.Store, name, version, body string) int64 {
		t.Helper()
		blob := write(t, s, []byte(body))
		return update(t, s, func(tx *store.Tx) error {
			return tx.PutObject(bucket, store.ObjectVersion{Name: name, Version: version, ETag: "e" + body, Meta: []byte("m" + body)}, blob)
		})
	}
	read := func(t *testing.T, s *store.Store, v store.ObjectVersion) string {
		t.Helper()
		var parts []store.Blob
		view(t, s, func(tx *store.Tx) (err error) {
			parts, err = tx.ObjectParts(v)
			return err
		})
		got, err := io.ReadAll(s.OpenBlobs(t.Context(), parts...))
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	latest := func(t *testing.T, s *store.Store, name string) (v store.ObjectVersion, err error) {
		viewErr := s.View(t.Context(), func(tx *store.Tx) error {
			v, err = tx.Object(bucket, name)
			return nil
		})
		return v, errors.Join(viewErr, err)
	}
	versions := func(t *testing.T, s *store.Store, list func(*store.Tx) ([]store.ObjectVersion, error)) (names []string) {
		t.Helper()
		view(t, s, func(tx *store.Tx) error {
			found, err := list(tx)
			for _, v := range found {
				name := v.Name + "@" + v.Version
				if v.Latest {
					name += "*"
				}
				names = append(names, name)
			}
			return err
		})
		return names
	}

	t.Run("versions come and go", func(t *testing.T) {
		opts := place(t)
		now := time.Date(2026, 11, 23, 5, 0, 0, 0, time.UTC)
		opts.Clock = func() time.Time { return now }
		s := openAt(t, opts)
		put(t, s, bucket, "")
		putObject(t, s, "k", "v1", "one")
		putObject(t, s, "k", "v2", "two")
		got, err := latest(t, s, "k")
		if err != nil {
			t.Fatal(err)
		}
		want := store.ObjectVersion{Name: "k", Version: "v2", Latest: true, Size: 3, ETag: "etwo", Modified: now, Meta: []byte("mtwo")}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(store.ObjectVersion{})); diff != "" {
			t.Errorf("latest (-want +got):\n%s", diff)
		}
		if body := read(t, s, got); body != "two" {
			t.Errorf("content %q, want two", body)
		}
		update(t, s, func(tx *store.Tx) error {
			return tx.PutObject(bucket, store.ObjectVersion{Name: "k", Version: "m1", Marker: true})
		})
		if got, err := latest(t, s, "k"); !got.Marker || err != nil {
			t.Errorf("latest is %+v, %v; want the delete marker", got, err)
		}
		all := func(tx *store.Tx) ([]store.ObjectVersion, error) { return tx.ObjectVersions(bucket, "", "", "", 10) }
		if diff := cmp.Diff([]string{"k@m1*", "k@v2", "k@v1"}, versions(t, s, all)); diff != "" {
			t.Errorf("versions (-want +got):\n%s", diff)
		}
		update(t, s, func(tx *store.Tx) error {
			return errors.Join(tx.DeleteObjectVersion(bucket, "k", "m1"), tx.DeleteObjectVersion(bucket, "k", "v1"))
		})
		if diff := cmp.Diff([]string{"k@v2*"}, versions(t, s, all)); diff != "" {
			t.Errorf("after deletions (-want +got):\n%s", diff)
		}
		update(t, s, func(tx *store.Tx) error {
			if err := tx.DeleteObjectVersion(bucket, "k", "v1"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("second deletion: %v, want ErrNotFound", err)
			}
			return tx.DeleteObjectVersion(bucket, "k", "v2")
		})
		if _, err := latest(t, s, "k"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("latest of nothing: %v, want ErrNotFound", err)
		}
		view(t, s, func(tx *store.Tx) error {
			if has, err := tx.HasObjects(bucket); has || err != nil {
				t.Errorf("bucket holds objects: %v, %v", has, err)
			}
			return nil
		})
		update(t, s, func(tx *store.Tx) error { return tx.Delete(bucket) })
	})

	t.Run("a version of the same id is replaced and its content released", func(t *testing.T) {
		opts := place(t)
		now := time.Now()
		opts.Clock = func() time.Time { return now }
		s := openAt(t, opts)
		put(t, s, bucket, "")
		putObject(t, s, "k", "null", "one")
		old, err := latest(t, s, "k")
		if err != nil {
			t.Fatal(err)
		}
		var parts []store.Blob
		view(t, s, func(tx *store.Tx) (err error) { parts, err = tx.ObjectParts(old); return err })
		// A copy onto itself must not lose the content on the way.
		update(t, s, func(tx *store.Tx) error {
			return tx.PutObject(bucket, store.ObjectVersion{Name: "k", Version: "null"}, parts...)
		})
		putObject(t, s, "k", "v1", "two")
		putObject(t, s, "k", "null", "three")
		list := func(tx *store.Tx) ([]store.ObjectVersion, error) { return tx.ObjectVersions(bucket, "", "", "", 10) }
		if diff := cmp.Diff([]string{"k@null*", "k@v1"}, versions(t, s, list)); diff != "" {
			t.Errorf("versions (-want +got):\n%s", diff)
		}
		now = now.Add(2 * store.BlobGrace)
		if err := s.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(s.OpenBlobs(t.Context(), parts...)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("content of the replaced version: %v, want ErrNotFound", err)
		}
		if v, err := latest(t, s, "k"); err != nil || read(t, s, v) != "three" {
			t.Errorf("latest %+v, %v; want three", v, err)
		}
	})

	t.Run("an object of many parts shares them with its copy", func(t *testing.T) {
		s := open(t, place)
		put(t, s, bucket, "")
		var whole []byte
		var parts []store.Blob
		for i, size := range []int{store.ChunkSize + 3, 10, 2 * store.ChunkSize} {
			body := content(size, uint64(i))
			whole = append(whole, body...)
			parts = append(parts, write(t, s, body))
		}
		update(t, s, func(tx *store.Tx) error {
			return tx.PutObject(bucket, store.ObjectVersion{Name: "a", Version: "null"}, parts...)
		})
		update(t, s, func(tx *store.Tx) error {
			v, err := tx.Object(bucket, "a")
			if err != nil {
				return err
			}
			parts, err := tx.ObjectParts(v)
			if err != nil {
				return err
			}
			if err := tx.PutObject(bucket, store.ObjectVersion{Name: "b", Version: "null"}, parts...); err != nil {
				return err
			}
			return tx.DeleteObjectVersion(bucket, "a", "null")
		})
		v, err := latest(t, s, "b")
		if err != nil || v.Size != int64(len(whole)) || !bytes.Equal([]byte(read(t, s, v)), whole) {
			t.Errorf("copy has %d bytes, %v; want %d", v.Size, err, len(whole))
		}
	})

	t.Run("lists are in the order of bytes, between bounds", func(t *testing.T) {
		s := open(t, place)
		put(t, s, bucket, "")
		names := []string{"a", "a/1", "a/2", "a0", "b", "z", "é", "\U0001F600"}
		for _, n := range names {
			putObject(t, s, n, "1", "")
			putObject(t, s, n, "2", "")
		}
		update(t, s, func(tx *store.Tx) error {
			return tx.PutObject(bucket, store.ObjectVersion{Name: "b", Version: "3", Marker: true})
		})
		objects := func(from, end string, limit int) []string {
			return versions(t, s, func(tx *store.Tx) ([]store.ObjectVersion, error) { return tx.Objects(bucket, from, end, limit) })
		}
		for _, c := range []struct {
			from, end string
			limit     int
			want      []string
		}{
			{"", "", 100, []string{"a@2*", "a/1@2*", "a/2@2*", "a0@2*", "z@2*", "é@2*", "\U0001F600@2*"}},
			{"a/", "a0", 100, []string{"a/1@2*", "a/2@2*"}},
			{"a/1\x00", "", 2, []string{"a/2@2*", "a0@2*"}},
			{"\xff", "", 2, nil},
		} {
			if diff := cmp.Diff(c.want, objects(c.from, c.end, c.limit)); diff != "" {
				t.Errorf("objects from %q to %q (-want +got):\n%s", c.from, c.end, diff)
			}
		}
		// All versions, one page after another.
		var walked []string
		for from, after := "", ""; ; {
			var page []store.ObjectVersion
			view(t, s, func(tx *store.Tx) (err error) {
				page, err = tx.ObjectVersions(bucket, from, after, "", 3)
				return err
			})
			for _, v := range page {
				walked = append(walked, v.Name+"@"+v.Version)
				from, after = v.Name, v.Version
			}
			if len(page) < 3 {
				break
			}
		}
		want := versions(t, s, func(tx *store.Tx) ([]store.ObjectVersion, error) { return tx.ObjectVersions(bucket, "", "", "", 100) })
		for i := range want {
			want[i] = string(bytes.TrimSuffix([]byte(want[i]), []byte("*")))
		}
		if diff := cmp.Diff(want, walked); diff != "" || len(walked) != 2*len(names)+1 {
			t.Errorf("walked %d versions (-want +got):\n%s", len(walked), diff)
		}
	})

	t.Run("the change log names objects", func(t *testing.T) {
		s := open(t, place)
		start := put(t, s, bucket, "")
		commits := follow(t, s, start)
		key := store.Key{Account: bucket.Account, Kind: store.KindObject, Parent: "b", ID: "k"}
		for i, step := range []func(*store.Tx) error{
			func(tx *store.Tx) error {
				return tx.PutObject(bucket, store.ObjectVersion{Name: "k", Version: "1"})
			},
			func(tx *store.Tx) error {
				return tx.PutObject(bucket, store.ObjectVersion{Name: "k", Version: "2"})
			},
			func(tx *store.Tx) error {
				v, err := tx.Object(bucket, "k")
				return errors.Join(err, tx.SetObjectMeta(bucket, v, []byte("tags")))
			},
			func(tx *store.Tx) error { return tx.DeleteObjectVersion(bucket, "k", "1") },
			func(tx *store.Tx) error { return tx.DeleteObjectVersion(bucket, "k", "2") },
		} {
			revision := update(t, s, step)
			want := store.Commit{Revision: revision, Changes: []store.Change{{Revision: revision, Key: key, Deleted: i == 4}}}
			if diff := cmp.Diff(want, receive(t, commits)); diff != "" {
				t.Errorf("step %d (-want +got):\n%s", i, diff)
			}
		}
	})

	t.Run("names and buckets are checked", func(t *testing.T) {
		s := open(t, place)
		put(t, s, bucket, "")
		for _, v := range []store.ObjectVersion{{Version: "1"}, {Name: "k"}, {Name: "a\x00", Version: "1"}, {Name: "\xff", Version: "1"}} {
			if _, err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.PutObject(bucket, v) }); err == nil {
				t.Errorf("object %q@%q was accepted", v.Name, v.Version)
			}
		}
		nobody := bucket
		nobody.ID = "nobody"
		_, err := s.Update(t.Context(), func(tx *store.Tx) error {
			return tx.PutObject(nobody, store.ObjectVersion{Name: "k", Version: "1"})
		})
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("object in no bucket: %v, want ErrNotFound", err)
		}
		putObject(t, s, "k", "1", "x")
		if _, err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.Delete(bucket) }); err == nil {
			t.Error("a bucket that holds objects was deleted")
		}
	})
}
