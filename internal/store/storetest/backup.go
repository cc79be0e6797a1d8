package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/internal/store"
)

// fill puts some of everything into a store.
func fill(t *testing.T, s *store.Store) {
	t.Helper()
	bucket := store.Key{Account: "000000000000", Kind: "bucket", ID: "b"}
	large, small := write(t, s, content(2*store.ChunkSize+5, 1)), write(t, s, content(50, 2))
	update(t, s, func(tx *store.Tx) error {
		for i := range 1100 {
			if err := tx.Put(api(fmt.Sprint(i)), []byte(fmt.Sprintf(`{"n":%d}`, i))); err != nil {
				return err
			}
		}
		return errors.Join(
			tx.Put(bucket, nil),
			tx.Claim("domains", "x.test", api("7")),
			tx.PutSecret(api("7"), "key", store.Secret("hunter2")),
			tx.Attach(api("7"), store.Attachment{Name: "snapshot", Meta: []byte("m"), Blob: large}),
			tx.PutObject(bucket, store.ObjectVersion{Name: "k", Version: "v1"}, small, large),
			tx.PutObject(bucket, store.ObjectVersion{Name: "k", Version: "v2", Marker: true}),
			tx.SetMeta("fact", []byte("true")),
		)
	})
	if err := s.Events("filler").Write(t.Context(), []store.Event{{ID: "e", Body: []byte("later")}}, time.Unix(1, 0), nil); err != nil {
		t.Fatal(err)
	}
}

// verifyFilled checks that what fill wrote is there.
func verifyFilled(t *testing.T, s *store.Store) {
	t.Helper()
	if events, err := s.Events(fmt.Sprint("verifier", time.Now().UnixNano())).Take(t.Context(), 10, time.Now()); err != nil || len(events) != 1 || string(events[0].Body) != "later" {
		t.Errorf("events %v, %v", events, err)
	}
	bucket := store.Key{Account: "000000000000", Kind: "bucket", ID: "b"}
	var attached store.Attachment
	var parts []store.Blob
	view(t, s, func(tx *store.Tx) error {
		n, err := tx.Count("restapi", home)
		if n != 1100 || err != nil {
			t.Errorf("%d documents (%v), want 1100", n, err)
		}
		if holder, err := tx.Holder("domains", "x.test"); holder != api("7") || err != nil {
			t.Errorf("name is held by %s, %v", holder, err)
		}
		if secret, err := tx.Secret(api("7"), "key"); string(secret) != "hunter2" || err != nil {
			t.Errorf("secret is %q, %v", []byte(secret), err)
		}
		if fact, err := tx.Meta("fact"); string(fact) != "true" || err != nil {
			t.Errorf("fact is %q, %v", fact, err)
		}
		if latest, err := tx.Object(bucket, "k"); !latest.Marker || err != nil {
			t.Errorf("latest version is %+v, %v; want the delete marker", latest, err)
		}
		v, err := tx.ObjectVersion(bucket, "k", "v1")
		if err != nil {
			return err
		}
		if parts, err = tx.ObjectParts(v); err != nil {
			return err
		}
		attached, err = tx.Attachment(api("7"), "snapshot")
		return err
	})
	large := content(2*store.ChunkSize+5, 1)
	if got, err := io.ReadAll(s.OpenBlobs(t.Context(), attached.Blob)); err != nil || !bytes.Equal(got, large) {
		t.Errorf("attachment has %d bytes, %v", len(got), err)
	}
	whole := append(content(50, 2), large...)
	if got, err := io.ReadAll(s.OpenBlobs(t.Context(), parts...)); err != nil || !bytes.Equal(got, whole) {
		t.Errorf("object has %d bytes, %v", len(got), err)
	}
}

func backup(t *testing.T, s *store.Store, opts store.BackupOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Backup(t.Context(), &b, opts); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func testBackup(t *testing.T, place Maker) {
	t.Run("restored elsewhere, with its keys", func(t *testing.T) {
		s := open(t, place)
		fill(t, s)
		saved := backup(t, s, store.BackupOptions{SealingKeys: true})
		info, err := store.VerifyBackup(bytes.NewReader(saved))
		if err != nil || !info.Keys || info.Revision != 1 || info.Rows < 1100 {
			t.Errorf("backup is %+v, %v", info, err)
		}
		opts := place(t)
		other := openAt(t, opts)
		put(t, other, api("of the other"), "")
		if _, err := other.Restore(t.Context(), bytes.NewReader(saved)); err != nil {
			t.Fatal(err)
		}
		verifyFilled(t, other)
		fill(t, other) // numbering goes on, names and versions collide with nothing
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}
		verifyFilled(t, openAt(t, opts))
	})

	t.Run("without keys it needs the key file", func(t *testing.T) {
		opts := place(t)
		s := openAt(t, opts)
		fill(t, s)
		saved := backup(t, s, store.BackupOptions{})
		key, err := os.ReadFile(filepath.Join(opts.Dir, store.SealingKeyFile))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(saved, bytes.TrimSpace(key[bytes.LastIndexByte(bytes.TrimSpace(key), ' ')+1:])) || bytes.Contains(saved, []byte("hunter2")) {
			t.Error("the backup holds the sealing key or a secret in the clear")
		}
		other := open(t, place)
		put(t, other, api("of the other"), "")
		if _, err := other.Restore(t.Context(), bytes.NewReader(saved)); !errors.Is(err, store.ErrSealingKey) {
			t.Errorf("restore under another key: %v, want ErrSealingKey", err)
		}
		get(t, other, api("of the other"))
		update(t, other, func(tx *store.Tx) error { return tx.PutSecret(api("of the other"), "x", store.Secret("y")) })

		fresh := place(t)
		if err := os.WriteFile(filepath.Join(fresh.Dir, store.SealingKeyFile), key, 0o600); err != nil {
			t.Fatal(err)
		}
		third := openAt(t, fresh)
		if _, err := third.Restore(t.Context(), bytes.NewReader(saved)); err != nil {
			t.Fatal(err)
		}
		verifyFilled(t, third)
	})

	t.Run("taken and restored while in use", func(t *testing.T) {
		s := open(t, place)
		fill(t, s)
		before := backup(t, s, store.BackupOptions{})
		ended := make(chan error, 1)
		inBackground(t, func(ctx context.Context) {
			for _, err := range s.Watch(ctx, 1) {
				if err != nil {
					ended <- err
				}
			}
		})
		inBackground(t, func(ctx context.Context) {
			for i := 0; ctx.Err() == nil; i++ {
				_, err := s.Update(ctx, func(tx *store.Tx) error { return tx.Put(api(fmt.Sprint(i%1100)), []byte("changed")) })
				if err != nil && ctx.Err() == nil {
					t.Errorf("update: %v", err)
					return
				}
			}
		})
		during := backup(t, s, store.BackupOptions{})
		if info, err := store.VerifyBackup(bytes.NewReader(during)); err != nil {
			t.Errorf("backup taken in use: %+v, %v", info, err)
		}
		// As a request's body comes: it can be read only once.
		if _, err := s.Restore(t.Context(), struct{ io.Reader }{bytes.NewReader(before)}); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, store.ErrRelist) {
			t.Errorf("watch after a restore: %v, want ErrRelist", err)
		}
		verifyFilled(t, s)
	})

	t.Run("cut or damaged it is refused and changes nothing", func(t *testing.T) {
		s := open(t, place)
		fill(t, s)
		saved := backup(t, s, store.BackupOptions{SealingKeys: true})
		put(t, s, api("later"), "")
		damaged := func(at int) []byte {
			b := bytes.Clone(saved)
			b[at] ^= 1
			return b
		}
		for name, b := range map[string][]byte{
			"nothing":       nil,
			"no tar":        bytes.Repeat([]byte("x"), 5000),
			"cut early":     saved[:700],
			"cut in half":   saved[:len(saved)/2],
			"without end":   saved[:bytes.LastIndex(saved, []byte("end.json"))],
			"row damaged":   damaged(bytes.Index(saved, []byte(`"restapi"`)) + 3),
			"chunk damaged": damaged(bytes.LastIndex(saved, []byte("chunks/")) + 514),
		} {
			if _, err := s.Restore(t.Context(), bytes.NewReader(b)); !errors.Is(err, store.ErrBackup) {
				t.Errorf("%s: %v, want ErrBackup", name, err)
			}
			if _, err := store.VerifyBackup(bytes.NewReader(b)); !errors.Is(err, store.ErrBackup) {
				t.Errorf("%s: verified as %v, want ErrBackup", name, err)
			}
		}
		get(t, s, api("later"))
		update(t, s, func(tx *store.Tx) error { return tx.Delete(api("later")) })
		verifyFilled(t, s)
	})
}
