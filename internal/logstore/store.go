package logstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options say how to open a store. Zero values take the defaults named.
type Options struct {
	Dir      string        // the folder; made when absent, mode 0700
	MaxBytes int64         // of all segment files; default 1 GiB
	Segment  int64         // bytes after which a segment is closed; default 4 MiB
	Queue    int           // bytes that may wait to be written; default 8 MiB
	Delay    time.Duration // how long a line waits for others to be written with; default 20 ms
	Logger   *slog.Logger  // default slog.Default()

	// Now returns the time; nil means time.Now.
	Now func() time.Time
}

// Errors that callers match with errors.Is.
var (
	// ErrClosed: Run has ended.
	ErrClosed = errors.New("log store is closed")
	// ErrFull: the queue has no room; try again.
	ErrFull = errors.New("log store's queue is full")
	// ErrNoGroup: nothing was ever written to the group, or it was deleted.
	ErrNoGroup = errors.New("no such log group in the store")
	// ErrTooMany: the group has MaxStreams streams.
	ErrTooMany = errors.New("too many streams")
)

// MaxStreams bounds the streams of one group.
const MaxStreams = 10_000

// A Store holds log groups. Open makes it; Run writes.
type Store struct {
	opts  Options
	log   *slog.Logger
	queue queue

	mu     sync.Mutex
	groups map[Group]*group
	keep   map[Group]time.Duration // retention; absent means for ever

	written  uint64 // entries that were written, or given up
	flushed  *sync.Cond
	flushing chan struct{} // has room for one: somebody waits, do not delay
	ended    bool

	bytes   atomic.Int64
	failed  atomic.Uint64
	failing atomic.Bool
}

// Open reads which groups a folder holds. Their events are read when a group is first used.
func Open(o Options) (*Store, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = 1 << 30
	}
	if o.Segment == 0 {
		o.Segment = 4 << 20
	}
	if o.Queue == 0 {
		o.Queue = 8 << 20
	}
	if o.Delay == 0 {
		o.Delay = 20 * time.Millisecond
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Store{opts: o, log: o.Logger, groups: map[Group]*group{}, keep: map[Group]time.Duration{}, flushing: make(chan struct{}, 1)}
	s.queue = queue{max: o.Queue, wake: make(chan struct{}, 1)}
	s.flushed = sync.NewCond(&s.mu)
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("log store: %w", err)
	}
	folders, err := os.ReadDir(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("log store: %w", err)
	}
	for _, f := range folders {
		if f.IsDir() {
			s.adopt(filepath.Join(o.Dir, f.Name()))
		}
	}
	return s, nil
}

// adopt registers the group of a folder. A folder that holds no segment with a sound head is
// left alone: it is not ours to remove.
func (s *Store) adopt(dir string) {
	g, err := openGroup(s, dir)
	if err != nil {
		s.log.Warn("a folder of the log store could not be read and is left out", "folder", dir, "error", err)
		return
	}
	if g != nil {
		s.groups[g.name] = g
		s.bytes.Add(g.size())
	}
}

// Writer returns the writer of a stream. The group and the stream come into being with
// their first event. It panics when a name is too long or has a line feed: such names
// cannot be created.
func (s *Store) Writer(g Group, stream string) *Writer {
	if len(stream) > MaxStreamName || len(g.encode()) > MaxMessage || strings.Count(g.encode(), "\n") != 2 {
		panic(fmt.Sprintf("logstore: bad name of group %q or stream %q", g.Name, stream))
	}
	return &Writer{store: s, group: g, stream: stream}
}

// Put queues events of one stream and waits until they can be read. It returns ErrFull
// when the queue has no room: then some of the events may be there.
func (s *Store) Put(ctx context.Context, g Group, stream string, events []Event) error {
	w := s.Writer(g, stream)
	for i := range events {
		if !w.Append(events[i].Time, []byte(events[i].Message)) {
			return ErrFull
		}
	}
	return s.Flush(ctx)
}

// CreateStream makes a stream without events. It reports false when it is there already.
func (s *Store) CreateStream(ctx context.Context, g Group, stream string) (created bool, err error) {
	if err := s.Flush(ctx); err != nil {
		return false, err
	}
	gr := s.lock(g)
	defer gr.mu.Unlock()
	if err := gr.load(); err != nil {
		return false, err
	}
	if st := gr.streams[stream]; st != nil && st.exists {
		return false, nil
	}
	if len(gr.streams) >= MaxStreams {
		return false, ErrTooMany
	}
	now := s.opts.Now().UnixMilli()
	gr.add(kindCreated, now, extent{}, now, stream, nil)
	return true, gr.commit()
}

// DeleteStream removes a stream with its events. It reports false when there is none.
func (s *Store) DeleteStream(ctx context.Context, g Group, stream string) (deleted bool, err error) {
	gr, err := s.loaded(ctx, g)
	if err != nil {
		return false, ignoreNoGroup(err)
	}
	defer gr.mu.Unlock()
	if st := gr.streams[stream]; st == nil || !st.exists {
		return false, nil
	}
	now := s.opts.Now().UnixMilli()
	gr.add(kindDeleted, now, extent{}, now, stream, nil)
	return true, gr.commit()
}

// DeleteGroup removes a group with everything in it. A line that is appended later brings
// the group back.
func (s *Store) DeleteGroup(ctx context.Context, g Group) error {
	gr, err := s.loaded(ctx, g)
	if err != nil {
		return ignoreNoGroup(err)
	}
	defer gr.mu.Unlock()
	s.mu.Lock()
	delete(s.groups, g)
	delete(s.keep, g)
	s.mu.Unlock()
	gr.gone = true
	return gr.remove()
}

// SetRetention says how long a group's events are kept; zero means for ever. Events that
// are older are not shown, and their segments are removed in time.
func (s *Store) SetRetention(g Group, keep time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if keep > 0 {
		s.keep[g] = keep
		return
	}
	delete(s.keep, g)
}

// oldest returns the time before which a group's events are gone, 0 for none.
func (s *Store) oldest(g Group) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if keep, ok := s.keep[g]; ok {
		return s.opts.Now().Add(-keep).UnixMilli()
	}
	return 0
}

// A Summary is a group with what it takes.
type Summary struct {
	Group
	Created int64 // when its oldest segment began, milliseconds since 1970
	Bytes   int64 // of its files
}

// Groups lists the groups that hold something, in order of their names.
func (s *Store) Groups(account, region string) []Summary {
	s.mu.Lock()
	var found []*group
	for name, g := range s.groups {
		if name.Account == account && name.Region == region {
			found = append(found, g)
		}
	}
	s.mu.Unlock()
	out := make([]Summary, 0, len(found))
	for _, g := range found {
		out = append(out, g.summary())
	}
	slices.SortFunc(out, func(a, b Summary) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Summary tells what a group takes; the zero Summary with its name for one that holds nothing.
func (s *Store) Summary(name Group) Summary {
	s.mu.Lock()
	g := s.groups[name]
	s.mu.Unlock()
	if g == nil {
		return Summary{Group: name}
	}
	return g.summary()
}

// Has reports whether the group holds something.
func (s *Store) Has(g Group) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.groups[g] != nil
}

// Streams lists a group's streams in order of their names.
func (s *Store) Streams(ctx context.Context, g Group) ([]Stream, error) {
	gr, err := s.loaded(ctx, g)
	if err != nil {
		return nil, ignoreNoGroup(err)
	}
	defer gr.mu.Unlock()
	var out []Stream
	for _, st := range gr.streams {
		if st.exists {
			out = append(out, *st)
		}
	}
	slices.SortFunc(out, func(a, b Stream) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Stream returns one stream; ok is false when there is none.
func (s *Store) Stream(ctx context.Context, g Group, name string) (st Stream, ok bool, err error) {
	gr, err := s.loaded(ctx, g)
	if err != nil {
		return Stream{}, false, ignoreNoGroup(err)
	}
	defer gr.mu.Unlock()
	if st := gr.streams[name]; st != nil && st.exists {
		return *st, true, nil
	}
	return Stream{}, false, nil
}

func ignoreNoGroup(err error) error {
	if errors.Is(err, ErrNoGroup) {
		return nil
	}
	return err
}

// Stats are counts since the store was opened, and sizes.
type Stats struct {
	Dropped uint64 // lines that found the queue full
	Failed  uint64 // lines that could not be written
	Bytes   int64  // of all files
}

// Stats returns the store's counts.
func (s *Store) Stats() Stats {
	return Stats{s.queue.dropped.Load(), s.failed.Load(), s.bytes.Load()}
}

// lock returns a group, made when there is none, with its lock held.
func (s *Store) lock(name Group) *group {
	for {
		s.mu.Lock()
		g := s.groups[name]
		if g == nil {
			g = newGroup(s, name)
			s.groups[name] = g
		}
		s.mu.Unlock()
		g.mu.Lock()
		if !g.gone { // else it was deleted after it was found
			return g
		}
		g.mu.Unlock()
	}
}

// loaded flushes what is queued and returns the group, read and with its lock held.
func (s *Store) loaded(ctx context.Context, name Group) (*group, error) {
	if err := s.Flush(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	g := s.groups[name]
	s.mu.Unlock()
	if g == nil {
		return nil, ErrNoGroup
	}
	g.mu.Lock()
	err := g.load()
	if g.gone {
		err = ErrNoGroup
	}
	if err != nil {
		g.mu.Unlock()
		return nil, err
	}
	return g, nil
}

// Reset removes every group.
func (s *Store) Reset(ctx context.Context) error {
	s.mu.Lock()
	names := make([]Group, 0, len(s.groups))
	for name := range s.groups {
		names = append(names, name)
	}
	s.mu.Unlock()
	var errs []error
	for _, name := range names {
		errs = append(errs, s.DeleteGroup(ctx, name))
	}
	return errors.Join(errs...)
}

// fail reports lines that could not be written, once until writing works again.
func (s *Store) fail(lines int, err error) {
	s.failed.Add(uint64(lines))
	if s.failing.CompareAndSwap(false, true) {
		s.log.Error("log lines could not be written and are lost", "lines", lines, "error", err)
	}
}

// readPrefix reads the first n bytes of a file, fewer when it is shorter.
func readPrefix(name string, n int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, n)
	got, err := io.ReadFull(f, b)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = nil
	}
	return b[:got], err
}
