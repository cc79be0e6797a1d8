package logstore

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var orders = Group{"000000000000", "us-east-1", "/gw/orders"}

// open runs a store until the test ends or the returned function is called.
func open(t testing.TB, o Options) (*Store, func()) {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	stop := func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return s, stop
}

func messages(t testing.TB, s *Store, q Query) string {
	t.Helper()
	if q.Group == (Group{}) {
		q.Group = orders
	}
	if q.Limit == 0 {
		q.Limit = 1000
	}
	events, more, err := s.Read(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range events {
		out = append(out, e.Message)
	}
	if more {
		out = append(out, "...")
	}
	return strings.Join(out, " ")
}

func fill(t testing.TB, s *Store, stream string, times ...int64) {
	t.Helper()
	w := s.Writer(orders, stream)
	for _, at := range times {
		if !w.Append(at, fmt.Appendf(nil, "%s%d", stream, at)) {
			t.Fatal("dropped")
		}
	}
}

func TestReadOrdersByTimeThenArrival(t *testing.T) {
	s, _ := open(t, Options{Dir: t.TempDir()})
	fill(t, s, "a", 5, 3, 9)
	fill(t, s, "b", 3, 4)
	for _, c := range []struct {
		name string
		q    Query
		want string
	}{
		{"all", Query{}, "a3 b3 b4 a5 a9"},
		{"range, both ends included", Query{From: 4, To: 5}, "b4 a5"},
		{"stream", Query{Stream: func(n string) bool { return n == "a" }}, "a3 a5 a9"},
		{"message", Query{Match: func(m []byte) bool { return strings.HasSuffix(string(m), "3") }}, "a3 b3"},
		{"first two", Query{Limit: 2}, "a3 b3 ..."},
		{"last two", Query{Limit: 2, Latest: true}, "a5 a9 ..."},
		{"all, exactly", Query{Limit: 5}, "a3 b3 b4 a5 a9"},
		{"after a position", Query{After: &Position{3, 3}}, "b4 a5 a9"},
		{"before a position", Query{Before: &Position{4, 4}, Latest: true, Limit: 1}, "b3 ..."},
		{"bytes", Query{MaxBytes: 5}, "a3 b3 ..."},
		{"one event is always read", Query{MaxBytes: 1}, "a3 ..."},
		{"no such group", Query{Group: Group{Name: "other"}}, ""},
	} {
		if got := messages(t, s, c.q); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestPagesMeetEveryEventOnce(t *testing.T) {
	s, _ := open(t, Options{Dir: t.TempDir(), Segment: 300})
	var want []string
	for i := range int64(100) {
		fill(t, s, "s", i/3) // three events of each time
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprintf("s%d", i/3))
	}
	for _, latest := range []bool{false, true} {
		var got []string
		q := Query{Group: orders, Limit: 7, Latest: latest}
		for {
			events, more, err := s.Read(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			var page []string
			for _, e := range events {
				page = append(page, e.Message)
			}
			if latest {
				got = append(page, got...)
				q.Before = &events[0].Position
			} else {
				got = append(got, page...)
				q.After = &events[len(events)-1].Position
			}
			if !more {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("latest %v: %s", latest, diff)
		}
	}
}

func TestRestartKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	s, stop := open(t, Options{Dir: dir, Segment: 100})
	fill(t, s, "a", 1, 2)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	fill(t, s, "a", 3) // in a second segment, queued when the store ends
	stop()
	if s.Writer(orders, "a").Append(4, []byte("late")) {
		t.Error("a closed store took a line")
	}
	s, _ = open(t, Options{Dir: dir})
	fill(t, s, "b", 4)
	if got := messages(t, s, Query{}); got != "a1 a2 a3 b4" {
		t.Errorf("got %q", got)
	}
	streams, err := s.Streams(t.Context(), orders)
	if err != nil || len(streams) != 2 || streams[0].First != 1 || streams[0].Last != 3 || streams[0].Bytes != 6 {
		t.Errorf("streams %+v, %v", streams, err)
	}
	if groups := s.Groups(orders.Account, orders.Region); len(groups) != 1 || groups[0].Name != orders.Name || groups[0].Bytes != s.Stats().Bytes {
		t.Errorf("groups %+v, %d bytes", groups, s.Stats().Bytes)
	}
}

// TestLinesAreEventsLikeOthers appends the same events one by one and together: nothing that
// can be asked tells them apart, before a restart and after it.
func TestLinesAreEventsLikeOthers(t *testing.T) {
	times := []int64{7, 7, 5, 9, 9} // a clock may be set back within a request
	together, one := t.TempDir(), t.TempDir()
	a, stopA := open(t, Options{Dir: together})
	b, stopB := open(t, Options{Dir: one})
	var lines Lines
	lines.Reset([]byte("(id) "))
	if !a.Writer(orders, "x").AppendLines(&lines) || a.Has(orders) {
		t.Error("no lines at all were not taken, or made a group")
	}
	for i, at := range times {
		if !lines.Add(at, fmt.Appendf(nil, "line-%d", i)) {
			t.Fatal("no room")
		}
		b.Writer(orders, "s").Append(at, fmt.Appendf(nil, "(id) line-%d", i))
	}
	a.Writer(orders, "s").AppendLines(&lines)
	for _, s := range []*Store{a, b} {
		fill(t, s, "s", 6)
		fill(t, s, "other", 8)
	}
	for _, again := range []bool{false, true} {
		if again {
			stopA()
			stopB()
			a, _ = open(t, Options{Dir: together})
			b, _ = open(t, Options{Dir: one})
		}
		for _, q := range []Query{
			{}, {From: 7, To: 8}, {Limit: 2}, {Limit: 3, Latest: true}, {MaxBytes: 20},
			{After: &Position{7, 0}}, {Before: &Position{9, 4}, Latest: true}, // positions amid the lines
			{Match: func(m []byte) bool { return strings.HasPrefix(string(m), "(id) line-3") }},
			{Stream: func(n string) bool { return n == "s" }},
		} {
			q.Group = orders
			if q.Limit == 0 {
				q.Limit = 100
			}
			got, gotMore, err := a.Read(t.Context(), q)
			want, wantMore, err2 := b.Read(t.Context(), q)
			if err != nil || err2 != nil || gotMore != wantMore {
				t.Fatal(err, err2, gotMore, wantMore)
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Event{}, "Ingested")); diff != "" {
				t.Errorf("restarted %v, query %+v: %s", again, q, diff)
			}
		}
		got, err := a.Streams(t.Context(), orders)
		want, err2 := b.Streams(t.Context(), orders)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Stream{}, "Ingested", "Created"), cmpopts.IgnoreUnexported(Stream{})); err != nil || err2 != nil || diff != "" {
			t.Errorf("restarted %v: %v, %v, %s", again, err, err2, diff)
		}
	}
	if ok, err := a.DeleteStream(t.Context(), orders, "s"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	a.Writer(orders, "s").AppendLines(&lines)
	lines.Reset(nil)
	lines.Add(100, []byte("last"))
	a.Writer(orders, "s").AppendLines(&lines)
	if got, want := messages(t, a, Query{}), "(id) line-2 (id) line-0 (id) line-1 other8 (id) line-3 (id) line-4 last"; got != want {
		t.Errorf("a stream that came back: got %q, want %q", got, want)
	}
}

// TestLinesAreBounded: as many events as fit are taken, with the largest prefix, and can be read.
func TestLinesAreBounded(t *testing.T) {
	s, _ := open(t, Options{Dir: t.TempDir()})
	var l Lines
	l.Reset([]byte(strings.Repeat("p", 1000)))
	n := 0
	for l.Add(int64(n), make([]byte, 1000)) {
		n++
	}
	if n < 250 || n > 262 || !s.Writer(orders, "s").AppendLines(&l) {
		t.Fatalf("%d events fit", n)
	}
	events, _, err := s.Read(t.Context(), Query{Group: orders, Limit: 1000})
	if err != nil || len(events) != n || len(events[0].Message) != maxPrefix+1000 {
		t.Fatalf("%d events were read, %v", len(events), err)
	}
	full, err := Open(Options{Dir: t.TempDir(), Queue: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if full.Writer(orders, "s").AppendLines(&l) || full.Stats().Dropped != uint64(n) {
		t.Errorf("%d dropped, want %d", full.Stats().Dropped, n)
	}
}

// TestTornRecordIsDropped cuts the last segment at every length: what was whole before the
// cut is there, and writing goes on behind it.
func TestTornRecordIsDropped(t *testing.T) {
	dir := t.TempDir()
	s, stop := open(t, Options{Dir: dir})
	fill(t, s, "a", 1, 2)
	stop()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"+segmentSuffix))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	record := len(appendFrame(nil, kindEvent, 1, 1, "a", "a1"))
	head := len(whole) - 2*record
	for cut := range len(whole) {
		sub := t.TempDir()
		name := filepath.Join(sub, filepath.Base(filepath.Dir(files[0])), filepath.Base(files[0]))
		if err := os.Mkdir(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		s, stop := open(t, Options{Dir: sub})
		fill(t, s, "b", 3)
		want := "b3"
		if cut >= head+record {
			want = "a1 b3"
		}
		if got := messages(t, s, Query{}); got != want {
			t.Errorf("cut at %d of %d: got %q, want %q", cut, len(whole), got, want)
		}
		stop()
		s, stop = open(t, Options{Dir: sub})
		if got := messages(t, s, Query{}); got != want {
			t.Errorf("cut at %d, opened again: got %q, want %q", cut, got, want)
		}
		stop()
	}
}

func TestDeletedStreamsAndGroupsStayDeleted(t *testing.T) {
	dir := t.TempDir()
	s, stop := open(t, Options{Dir: dir})
	ctx := t.Context()
	fill(t, s, "a", 1)
	fill(t, s, "b", 2)
	if ok, err := s.CreateStream(ctx, orders, "a"); ok || err != nil {
		t.Errorf("creating a stream twice: %v, %v", ok, err)
	}
	if ok, err := s.DeleteStream(ctx, orders, "a"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if ok, err := s.DeleteStream(ctx, orders, "a"); ok || err != nil {
		t.Errorf("deleting a stream twice: %v, %v", ok, err)
	}
	if got := messages(t, s, Query{}); got != "b2" {
		t.Errorf("after deleting a stream: %q", got)
	}
	stop()
	s, _ = open(t, Options{Dir: dir})
	if ok, err := s.CreateStream(ctx, orders, "a"); !ok || err != nil {
		t.Errorf("creating a stream again: %v, %v", ok, err)
	}
	fill(t, s, "a", 5)
	if got := messages(t, s, Query{}); got != "b2 a5" {
		t.Errorf("a stream that came back: %q", got)
	}
	if err := s.DeleteGroup(ctx, orders); err != nil {
		t.Fatal(err)
	}
	if s.Has(orders) || s.Stats().Bytes != 0 {
		t.Errorf("the group is there: %d bytes", s.Stats().Bytes)
	}
	fill(t, s, "a", 7)
	if got := messages(t, s, Query{}); got != "a7" {
		t.Errorf("a group that came back: %q", got)
	}
}

func TestRetentionHidesAndRemoves(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	s, _ := open(t, Options{Dir: t.TempDir(), Now: clock})
	fill(t, s, "a", now.Add(-48*time.Hour).UnixMilli(), now.UnixMilli())
	s.SetRetention(orders, 24*time.Hour)
	if got := messages(t, s, Query{}); got != fmt.Sprintf("a%d", now.UnixMilli()) {
		t.Errorf("got %q", got)
	}
	s.tidy()
	if s.Stats().Bytes == 0 {
		t.Error("a segment with an event within retention was removed")
	}
	now = now.Add(25 * time.Hour)
	s.tidy()
	if got := s.Stats().Bytes; got != 0 {
		t.Errorf("%d bytes are left after retention", got)
	}
}

func TestSizeCapRemovesTheOldest(t *testing.T) {
	s, _ := open(t, Options{Dir: t.TempDir(), Segment: 1000, MaxBytes: 20_000})
	w := s.Writer(orders, "a")
	for i := range int64(1000) {
		w.Append(i, fmt.Appendf(nil, "%030d", i))
		if i%10 == 9 {
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := s.Stats().Bytes; got > 21_000 {
		t.Errorf("%d bytes, want at most the cap and a batch", got)
	}
	events, _, err := s.Read(t.Context(), Query{Group: orders, Limit: 1, Latest: true})
	if err != nil || len(events) != 1 || events[0].Time != 999 {
		t.Errorf("the newest event: %v, %v", events, err)
	}
}

func TestFullQueueDropsAndCounts(t *testing.T) {
	s, err := Open(Options{Dir: t.TempDir(), Queue: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	w := s.Writer(orders, "a")
	taken := 0
	for range 1000 {
		if w.Append(1, make([]byte, 100)) {
			taken++
		}
	}
	if dropped := s.Stats().Dropped; taken == 0 || taken+int(dropped) != 1000 || taken*100 > 10_000 {
		t.Errorf("%d taken, %d dropped", taken, dropped)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if got := len(s.groups[orders].streams); got != 1 {
		t.Errorf("%d streams were written at the end", got)
	}
}

// TestReadsWhileWriting appends from several goroutines while others read: each reader sees
// the events of every stream whole and in order.
func TestReadsWhileWriting(t *testing.T) {
	s, _ := open(t, Options{Dir: t.TempDir(), Segment: 8 << 10, Queue: 64 << 20})
	const streams, each = 4, 2000
	var writers, readers sync.WaitGroup
	for n := range streams {
		writers.Go(func() {
			w := s.Writer(orders, fmt.Sprint(n))
			for i := range int64(each) {
				w.Append(i, fmt.Appendf(nil, "%d", i))
			}
		})
	}
	done := make(chan struct{})
	for n := range streams {
		readers.Go(func() {
			for last := false; !last; {
				select {
				case <-done:
					last = true
				default:
				}
				events, _, err := s.Read(context.Background(), Query{Group: orders, Limit: each + 1, Stream: func(x string) bool { return x == fmt.Sprint(n) }})
				if err != nil {
					t.Error(err)
					return
				}
				for i, e := range events {
					if e.Message != fmt.Sprint(i) {
						t.Errorf("stream %d: event %d is %q", n, i, e.Message)
						return
					}
				}
				if last && len(events) != each {
					t.Errorf("stream %d: %d events at the end, want %d", n, len(events), each)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}

func TestFailedWritesAreCountedAndOver(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, Options{Dir: dir})
	blocked := filepath.Join(dir, orders.folder())
	if err := os.WriteFile(blocked, nil, 0o600); err != nil { // where the folder would be
		t.Fatal(err)
	}
	fill(t, s, "a", 1, 2)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.Stats().Failed; got != 2 {
		t.Errorf("%d failed, want 2", got)
	}
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	fill(t, s, "a", 3)
	if got := messages(t, s, Query{}); got != "a3" {
		t.Errorf("after the failure: %q", got)
	}
}

func FuzzSegment(f *testing.F) {
	seed := appendHead(nil, orders)
	seed = appendFrame(seed, kindCreated, 1, 1, "stream", "")
	seed = appendFrame(seed, kindEvent, 2, 3, "stream", "message")
	f.Add(seed, uint(3))
	var l Lines
	l.Reset([]byte("prefix "))
	l.Add(5, []byte("one"))
	l.Add(4, nil)
	f.Add(appendFrame(seed, kindLines, l.first, 6, "stream", l.block), uint(1))
	f.Add(seed[:len(seed)-1], uint(1))
	f.Add([]byte(magic), uint(0))
	f.Fuzz(func(t *testing.T, data []byte, cut uint) {
		var records []record
		g, sound := frames(data, func(r record) bool { records = append(records, r); return true })
		if sound == 0 {
			return
		}
		// What was read is byte for byte what would be written.
		again := appendHead(nil, g)
		for _, r := range records {
			again = appendFrame(again, r.kind, r.time, r.ingested, r.stream, r.message)
		}
		if string(again) != string(data[:sound]) {
			t.Fatalf("read %q, written again %q", data[:sound], again)
		}
		// A torn end takes nothing but itself.
		torn := data[:cut%uint(sound+1)]
		n := 0
		if _, end := frames(torn, func(record) bool { n++; return true }); end > len(torn) || n > len(records) || end < sound && end > 0 && len(torn)-end > frameHead+maxPayload {
			t.Fatalf("cut at %d: %d records to %d, whole: %d", len(torn), n, end, len(records))
		}
	})
}

// BenchmarkAppend is what a request pays for a line of its log: the writing goroutine
// catches up between batches of 4,096.
func BenchmarkAppend(b *testing.B) {
	s, _ := open(b, Options{Dir: b.TempDir()})
	w := s.Writer(orders, "0123456789abcdef0123456789abcdef")
	line := []byte(strings.Repeat("x", 200))
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		w.Append(1, line)
		if i%4096 == 4095 {
			b.StopTimer()
			if err := s.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	}
	b.ReportMetric(float64(s.Stats().Dropped)/float64(b.N), "dropped/op")
}

// BenchmarkAppendAndWrite is the whole cost of a line, the file's included.
func BenchmarkAppendAndWrite(b *testing.B) {
	s, _ := open(b, Options{Dir: b.TempDir()})
	w := s.Writer(orders, "0123456789abcdef0123456789abcdef")
	line := []byte(strings.Repeat("x", 200))
	b.ReportAllocs()
	for i := range b.N {
		w.Append(1, line)
		if i%4096 == 4095 {
			if err := s.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkAppendLines is the whole cost of the ten lines of a request, the file's included.
func BenchmarkAppendLines(b *testing.B) {
	s, _ := open(b, Options{Dir: b.TempDir()})
	w := s.Writer(orders, "0123456789abcdef0123456789abcdef")
	prefix, line := []byte("(01234567-89ab-cdef-0123-456789abcdef) "), []byte(strings.Repeat("x", 60))
	var l Lines
	b.ReportAllocs()
	for i := range b.N {
		l.Reset(prefix)
		for range 10 {
			l.Add(1, line)
		}
		w.AppendLines(&l)
		if i%4096 == 4095 {
			if err := s.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
}
