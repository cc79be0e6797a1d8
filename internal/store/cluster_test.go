package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gatehouse/internal/store"
	"gatehouse/internal/store/pgtest"
)

// cluster opens a database from two nodes, each with a data folder of its own and the
// same sealing key.
func cluster(t *testing.T) (url string, nodes [2]*store.Store, folders [2]string) {
	t.Helper()
	url = pgtest.Database(t)
	for i := range nodes {
		folders[i] = t.TempDir()
		if i > 0 {
			copyKey(t, folders[0], folders[i])
		}
		s, err := store.Open(t.Context(), store.Options{Dir: folders[i], URL: url})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		nodes[i] = s
	}
	return url, nodes, folders
}

func copyKey(t *testing.T, from, to string) {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(from, store.SealingKeyFile))
	if err == nil {
		err = os.WriteFile(filepath.Join(to, store.SealingKeyFile), key, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

var clusterKey = store.Key{Account: "000000000000", Kind: "k", ID: "a"}

func commit(t *testing.T, s *store.Store, fn func(*store.Tx) error) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	revision, err := s.Update(ctx, fn)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

// watch sends the revisions that a node sees.
func watch(t *testing.T, s *store.Store) <-chan int64 {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	seen, done := make(chan int64, 100), make(chan struct{})
	go func() {
		defer close(done)
		for c, err := range s.Watch(ctx, 0) {
			if err != nil {
				t.Errorf("watch: %v", err)
				return
			}
			seen <- c.Revision
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return seen
}

func sees(t *testing.T, seen <-chan int64, want int64) {
	t.Helper()
	select {
	case got := <-seen:
		if got != want {
			t.Fatalf("sees revision %d, want %d", got, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("revision %d is not seen", want)
	}
}

func TestClusterFollows(t *testing.T) {
	_, nodes, _ := cluster(t)
	seen := [2]<-chan int64{watch(t, nodes[0]), watch(t, nodes[1])}
	for i := range 20 {
		revision := commit(t, nodes[i%2], func(tx *store.Tx) error { return tx.Put(clusterKey, nil) })
		sees(t, seen[0], revision)
		sees(t, seen[1], revision)
	}
}

// All connections are cut at the server, as when it is restarted.
func TestClusterOutlivesLostConnections(t *testing.T) {
	url, nodes, _ := cluster(t)
	seen := watch(t, nodes[1])
	for range 3 {
		sees(t, seen, commit(t, nodes[0], func(tx *store.Tx) error { return tx.Put(clusterKey, nil) }))
		conn, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`); err != nil {
			t.Fatal(err)
		}
		conn.Close(t.Context())
		sees(t, seen, commit(t, nodes[0], func(tx *store.Tx) error { return tx.Put(clusterKey, nil) }))
	}
}

func TestClusterSharesKeys(t *testing.T) {
	url, nodes, folders := cluster(t)
	stranger, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), URL: url})
	if err == nil {
		stranger.Close()
	}
	if !errors.Is(err, store.ErrSealingKey) {
		t.Errorf("a node without the key: %v, want ErrSealingKey", err)
	}

	write := func(s *store.Store, value string) {
		t.Helper()
		commit(t, s, func(tx *store.Tx) error {
			return errors.Join(tx.Put(clusterKey, nil), tx.PutSecret(clusterKey, "s", store.Secret(value)))
		})
	}
	read := func(s *store.Store, want string) {
		t.Helper()
		if err := s.View(t.Context(), func(tx *store.Tx) error {
			got, err := tx.Secret(clusterKey, "s")
			if err == nil && string(got) != want {
				t.Errorf("secret is %q, want %q", []byte(got), want)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	}
	write(nodes[0], "one")
	read(nodes[1], "one")
	// The order for operators: add the key, copy the file to every node, rotate.
	added, err := nodes[0].AddSealingKey()
	if err != nil {
		t.Fatal(err)
	}
	copyKey(t, folders[0], folders[1])
	if active, err := nodes[0].RotateKeys(t.Context()); err != nil || active != added {
		t.Fatalf("rotated to %s, %v; want %s", active, err, added)
	}
	read(nodes[1], "one") // loads the new keys by itself
	write(nodes[1], "two")
	read(nodes[0], "two")
}
