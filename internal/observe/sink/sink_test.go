package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var silent = slog.New(slog.DiscardHandler)

// start runs a sink until the returned function is called, which waits for its end.
func start(t *testing.T, s *Sink) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// until waits for something that another goroutine does.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: ", what)
		}
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	s, err := File(path, silent)
	if err != nil {
		t.Fatal(err)
	}
	stop := start(t, s)
	s.Append([]byte("one"))
	s.Append([]byte("two"))
	until(t, "two lines", func() bool { return s.Stats().Written == 2 })
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	s.Append([]byte("three"))
	stop() // delivers what is queued
	for name, want := range map[string]string{path + ".1": "one\ntwo\n", path: "three\n"} {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := File(filepath.Join(path, "below a file"), silent); err == nil {
		t.Error("a file that cannot be made is accepted")
	}
}

func TestFileThatCannotBeMadeAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := File(filepath.Join(dir, "log"), silent)
	if err != nil {
		t.Fatal(err)
	}
	defer start(t, s)()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	s.Append([]byte("lost"))
	until(t, "a failure", func() bool { return s.Stats().Failed == 1 })
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s.Append([]byte("kept"))
	until(t, "a line", func() bool { return s.Stats().Written == 1 })
}

// collector answers with the statuses, then 200, and remembers what it accepted.
type collector struct {
	mu       sync.Mutex
	statuses []int
	calls    int
	accepted string
	header   http.Header
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	c.header = r.Header
	if len(c.statuses) > 0 {
		status := c.statuses[0]
		c.statuses = c.statuses[1:]
		w.WriteHeader(status)
		return
	}
	c.accepted += string(body)
}

func TestHTTP(t *testing.T) {
	c := &collector{statuses: []int{503, 429}}
	server := httptest.NewServer(c)
	defer server.Close()
	s := HTTP(Collector{URL: server.URL, Token: "secret"}, silent)
	stop := start(t, s)
	for i := range 100 {
		s.Append(fmt.Appendf(nil, `{"n":%d}`, i))
	}
	until(t, "100 lines", func() bool { return s.Stats().Written == 100 })
	stop()
	if got := strings.Count(c.accepted, "\n"); got != 100 || !strings.HasPrefix(c.accepted, "{\"n\":0}\n{\"n\":1}\n") {
		t.Errorf("%d lines in %.40q", got, c.accepted)
	}
	if c.header.Get("Authorization") != "Bearer secret" || c.header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("header %v", c.header)
	}
}

// What the collector says no to for good is not sent again, and a redirect is not followed.
func TestRefusedLinesAreCounted(t *testing.T) {
	for _, status := range []int{400, 302} {
		c := &collector{statuses: []int{status}}
		server := httptest.NewServer(c)
		s := HTTP(Collector{URL: server.URL}, silent)
		stop := start(t, s)
		s.Append([]byte("x"))
		until(t, "a failure", func() bool { return s.Stats().Failed == 1 })
		stop()
		server.Close()
		if c.calls != 1 {
			t.Errorf("%d: called %d times, want once", status, c.calls)
		}
	}
}

func TestDeniedAddressesAreNotDialled(t *testing.T) {
	c := new(collector)
	server := httptest.NewServer(c)
	defer server.Close()
	collector := Collector{URL: server.URL, Allow: func(string, netip.AddrPort) error { return errors.New("denied") }}
	s := HTTP(collector, silent)
	ctx, cancel := context.WithTimeout(t.Context(), firstPause/2) // one attempt
	defer cancel()
	if err := s.deliver(ctx, []byte("x\n")); err == nil || !strings.Contains(err.Error(), "denied") || c.calls != 0 {
		t.Errorf("%v after %d calls, want denied", err, c.calls)
	}
}

// The queue is bounded, and whoever appends never waits.
func TestFullQueueDrops(t *testing.T) {
	s := newSink("nowhere", silent, func(context.Context, []byte) error { return nil }, func() {})
	line := bytes.Repeat([]byte("x"), 1<<20)
	for range 20 {
		s.Append(line)
	}
	if got := s.Stats().Dropped; got != 20-maxQueued>>20 {
		t.Errorf("%d of 20 dropped, want %d", got, 20-maxQueued>>20)
	}
	stop := start(t, s)
	until(t, "8 lines", func() bool { return s.Stats().Written == maxQueued>>20 })
	for range maxLines {
		s.Append([]byte("y"))
	}
	stop()
	if st := s.Stats(); st.Written+st.Dropped != 20+maxLines || s.waiting.Load() != 0 {
		t.Errorf("%+v with %d bytes waiting: lines are lost", st, s.waiting.Load())
	}
}
