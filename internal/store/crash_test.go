package store_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/store"
	"gatehouse/internal/store/pgtest"
)

// The crash test runs this test binary again as a child that writes under load
// and acknowledges each commit on its standard output. The parent kills the child
// with SIGKILL at a random moment, opens the store, and looks for everything that
// was acknowledged.

const (
	crashDir = "GATEHOUSE_TEST_CRASH_DIR" // makes the test binary such a child
	crashURL = "GATEHOUSE_TEST_CRASH_URL"

	crashWriters = 4
)

var crashBucket = store.Key{Account: "000000000000", Kind: "bucket", ID: "crash"}

func crashKey(writer string) store.Key {
	return store.Scope{Account: "000000000000"}.Key("counter", writer)
}

// crashChild is what the child does; TestMain calls it. It ends only by failing.
func crashChild(dir, url string) {
	s, err := store.Open(context.Background(), store.Options{Dir: dir, URL: url})
	if err != nil {
		fmt.Println("failed:", err)
		return
	}
	var wg sync.WaitGroup
	for w := range crashWriters {
		wg.Go(func() {
			if err := crashWriter(s, strconv.Itoa(w)); err != nil {
				fmt.Println("failed:", err)
			}
		})
	}
	wg.Wait()
}

// crashWriter commits step after step and acknowledges each. A step moves several
// things together: a counter document, a secret, an object with its content, and a
// document that says how many of each there are.
func crashWriter(s *store.Store, name string) error {
	ctx := context.Background()
	for n := crashCounter(s, name) + 1; ; n++ {
		body := crashBody(name, n)
		w := s.NewBlob(ctx)
		if _, err := w.Write(body); err != nil {
			return err
		}
		blob, err := w.Finish()
		if err != nil {
			return err
		}
		revision, err := s.Update(ctx, func(tx *store.Tx) error {
			value := []byte(strconv.Itoa(n))
			return errors.Join(
				tx.Put(crashKey(name), value),
				tx.PutSecret(crashKey(name), "n", value),
				tx.Put(crashBucket, nil),
				tx.PutObject(crashBucket, store.ObjectVersion{Name: name, Version: "null", ETag: strconv.Itoa(n)}, blob),
			)
		})
		if err != nil {
			return err
		}
		fmt.Printf("ok %s %d %d\n", name, n, revision)
	}
}

// crashBody is a content that a reader can recognise; every eighth has several chunks.
func crashBody(name string, n int) []byte {
	seed := sha256.Sum256(fmt.Appendf(nil, "%s %d", name, n))
	size := 1000
	if n%8 == 0 {
		size = store.ChunkSize*2 + n
	}
	return bytes.Repeat(seed[:], size/len(seed)+1)[:size]
}

func crashCounter(s *store.Store, name string) (n int) {
	s.View(context.Background(), func(tx *store.Tx) error {
		doc, err := tx.Get(crashKey(name))
		if err == nil {
			n, err = strconv.Atoi(string(doc.Body))
		}
		return err
	})
	return n
}

func TestCrashSQLite(t *testing.T) {
	testCrash(t, store.Options{Dir: t.TempDir()}, 12)
}

// For PostgreSQL the client is killed; the server's own crash safety is its own.
func TestCrashPostgreSQL(t *testing.T) {
	testCrash(t, store.Options{Dir: t.TempDir(), URL: pgtest.Database(t)}, 4)
}

func testCrash(t *testing.T, opts store.Options, rounds int) {
	// The keys are there before the first kill, so that every round finds a store.
	s, err := store.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	total := 0
	for round := range rounds {
		acked, revision := killDuringLoad(t, opts, 50*time.Millisecond+rand.N(500*time.Millisecond))
		s, err := store.Open(t.Context(), opts)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := s.Check(t.Context()); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		for name, n := range acked {
			total += n
			verifyWriter(t, s, name, n)
		}
		verifyLog(t, s, revision)
		if err := s.Maintain(t.Context()); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if total == 0 {
		t.Error("no commit was acknowledged in any round: nothing was tested")
	}
}

// killDuringLoad runs a child for a while after its first acknowledgement, kills
// it, and returns the last step that each writer acknowledged and the last revision.
func killDuringLoad(t *testing.T, opts store.Options, after time.Duration) (acked map[string]int, revision int64) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashDir+"="+opts.Dir, crashURL+"="+opts.URL)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	acked = make(map[string]int)
	var kill *time.Timer
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // the last line may be cut: then it was not acknowledged
		}
		var name string
		var n int
		var r int64
		if _, err := fmt.Sscanf(line, "ok %s %d %d", &name, &n, &r); err != nil {
			if strings.HasPrefix(line, "failed:") {
				t.Error("child", line)
			}
			continue
		}
		acked[name], revision = n, max(revision, r)
		if kill == nil {
			kill = time.AfterFunc(after, func() { child.Process.Kill() })
		}
	}
	if err := child.Wait(); err == nil || kill == nil {
		t.Fatalf("child ended by itself: %v", err)
	}
	return acked, revision
}

// verifyWriter checks that a writer got at least as far as it acknowledged, and
// that its last step is there as a whole.
func verifyWriter(t *testing.T, s *store.Store, name string, acked int) {
	t.Helper()
	err := s.View(t.Context(), func(tx *store.Tx) error {
		doc, err := tx.Get(crashKey(name))
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(string(doc.Body))
		if err != nil {
			return err
		}
		if n < acked || n > acked+1 {
			t.Errorf("writer %s acknowledged %d, the store has %d", name, acked, n)
		}
		secret, err := tx.Secret(crashKey(name), "n")
		if err != nil || string(secret) != string(doc.Body) {
			t.Errorf("writer %s: secret is %q (%v), the document says %q", name, []byte(secret), err, doc.Body)
		}
		v, err := tx.Object(crashBucket, name)
		if err != nil {
			return err
		}
		parts, err := tx.ObjectParts(v)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(s.OpenBlobs(t.Context(), parts...))
		if err != nil || v.ETag != string(doc.Body) || !bytes.Equal(body, crashBody(name, n)) {
			t.Errorf("writer %s at %d: object is of step %s with %d bytes (%v)", name, n, v.ETag, len(body), err)
		}
		return nil
	})
	if err != nil {
		t.Errorf("writer %s: %v", name, err)
	}
}

// verifyLog checks that the change log has every revision up to the last one, and
// at least those that were acknowledged.
func verifyLog(t *testing.T, s *store.Store, acked int64) {
	t.Helper()
	var last int64
	if err := s.View(t.Context(), func(tx *store.Tx) error { last = tx.Revision(); return nil }); err != nil {
		t.Fatal(err)
	}
	if last < acked {
		t.Errorf("revision is %d, %d was acknowledged", last, acked)
	}
	next := int64(1)
	for c, err := range s.Watch(t.Context(), 0) {
		if err != nil || c.Revision != next {
			t.Fatalf("change log has revision %d (%v), want %d", c.Revision, err, next)
		}
		if next == last {
			break
		}
		next++
	}
}
