package storetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/store"
)

func testSecrets(t *testing.T, place Maker) {
	secret := func(t *testing.T, s *store.Store, k store.Key, name string) (value store.Secret, err error) {
		viewErr := s.View(t.Context(), func(tx *store.Tx) error {
			value, err = tx.Secret(k, name)
			return nil
		})
		return value, errors.Join(viewErr, err)
	}
	keep := func(t *testing.T, s *store.Store, k store.Key, name, value string) {
		t.Helper()
		update(t, s, func(tx *store.Tx) error { return tx.PutSecret(k, name, store.Secret(value)) })
	}

	t.Run("kept with a document, replaced, deleted with it", func(t *testing.T) {
		opts := place(t)
		s := openAt(t, opts)
		put(t, s, api("a"), "")
		keep(t, s, api("a"), "key", "first")
		keep(t, s, api("a"), "key", "second")
		keep(t, s, api("a"), "empty", "")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openAt(t, opts)
		if got, err := secret(t, s, api("a"), "key"); string(got) != "second" || err != nil {
			t.Errorf("secret is %q, %v; want second", []byte(got), err)
		}
		if got, err := secret(t, s, api("a"), "empty"); len(got) != 0 || err != nil {
			t.Errorf("empty secret is %q, %v", []byte(got), err)
		}
		update(t, s, func(tx *store.Tx) error {
			if err := tx.PutSecret(api("nobody"), "key", nil); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("secret of no document: %v, want ErrNotFound", err)
			}
			return tx.Delete(api("a"))
		})
		put(t, s, api("a"), "")
		if _, err := secret(t, s, api("a"), "key"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("secret after its document went: %v, want ErrNotFound", err)
		}
	})

	t.Run("a secret does not print", func(t *testing.T) {
		value := store.Secret("hunter2")
		encoded, err := json.Marshal(map[string]any{"x": value})
		if err != nil {
			t.Fatal(err)
		}
		for _, printed := range []string{fmt.Sprintf("%v %s %x %q %d %#v", value, value, value, value, value, value), string(encoded)} {
			if strings.Contains(printed, "hunter2") || strings.Contains(printed, fmt.Sprintf("%x", "hunter2")) || strings.Contains(printed, "104") {
				t.Errorf("printed as %s", printed)
			}
		}
	})

	t.Run("rotation keeps values and hashes and changes the key", func(t *testing.T) {
		opts := place(t)
		s := openAt(t, opts)
		for i := range 600 { // more than one batch
			k := api(fmt.Sprint(i))
			update(t, s, func(tx *store.Tx) error {
				return errors.Join(tx.Put(k, nil), tx.PutSecret(k, "key", store.Secret(k.ID)))
			})
		}
		hash := s.KeyedHash("test", []byte("value"))
		id, err := s.RotateKeys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		keep(t, s, api("0"), "after", "rotation")
		if next, err := s.RotateKeys(t.Context()); err != nil || next == id {
			t.Fatalf("second rotation: key %s, %v; want another key than %s", next, err, id)
		}
		for range 2 {
			for i := range 600 {
				if got, err := secret(t, s, api(fmt.Sprint(i)), "key"); string(got) != fmt.Sprint(i) || err != nil {
					t.Fatalf("secret %d is %q, %v", i, []byte(got), err)
				}
			}
			if got, err := secret(t, s, api("0"), "after"); string(got) != "rotation" || err != nil {
				t.Errorf("secret between rotations is %q, %v", []byte(got), err)
			}
			if !bytes.Equal(hash, s.KeyedHash("test", []byte("value"))) {
				t.Error("keyed hash changed")
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			keepNewestKey(t, opts) // the database must not need the old ones
			s = openAt(t, opts)
		}
	})

	t.Run("a keyed hash depends on purpose, value and store", func(t *testing.T) {
		a, b := open(t, place), open(t, place)
		hashes := map[string]bool{}
		for _, h := range [][]byte{
			a.KeyedHash("p", []byte("v")), a.KeyedHash("p", []byte("w")), a.KeyedHash("q", []byte("v")), b.KeyedHash("p", []byte("v")),
		} {
			hashes[string(h)] = true
		}
		if len(hashes) != 4 {
			t.Errorf("%d different hashes, want 4", len(hashes))
		}
	})

	t.Run("a missing or foreign sealing key stops the start and makes no new one", func(t *testing.T) {
		opts := place(t)
		path := filepath.Join(opts.Dir, store.SealingKeyFile)
		s := openAt(t, opts)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		own, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		refused := func(why string) {
			t.Helper()
			s, err := store.Open(t.Context(), opts)
			if err == nil {
				s.Close()
			}
			if !errors.Is(err, store.ErrSealingKey) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v, want ErrSealingKey that names %s", why, err, path)
			}
		}
		refused("missing key")
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("a key file was made: %v", err)
		}
		other := place(t)
		if err := openAt(t, other).Close(); err != nil {
			t.Fatal(err)
		}
		foreign, err := os.ReadFile(filepath.Join(other.Dir, store.SealingKeyFile))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, foreign, 0o600); err != nil {
			t.Fatal(err)
		}
		refused("foreign key")
		if err := os.WriteFile(path, own, 0o600); err != nil {
			t.Fatal(err)
		}
		openAt(t, opts)
	})
}

// keepNewestKey removes all but the last key from the key file.
func keepNewestKey(t *testing.T, opts store.Options) {
	t.Helper()
	path := filepath.Join(opts.Dir, store.SealingKeyFile)
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(body)), "\n")
	if err := os.WriteFile(path, []byte(lines[len(lines)-1]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}
