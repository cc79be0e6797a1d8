// Package store keeps everything Gatehouse must not lose: resources as
// documents, what S3 holds, secrets, and a log of changes. It is the only package
// that speaks SQL. One machine keeps it in a SQLite file in the data folder, a
// cluster in PostgreSQL; both pass the suite in storetest.
//
// The control plane reads and writes it; the compiler follows its change log.
// The data plane never touches it.
//
// All access happens in transactions: View sees one snapshot, Update one writer
// at a time, across the whole cluster. So an Update may read, decide and write
// without further locks. Every commit that changes a document gets the next
// revision and is appended to the change log within the same transaction; Watch
// follows that log. What was acknowledged survives a crash: SQLite runs with
// synchronous=FULL, PostgreSQL as its administrator configured it.
//
// A Store is safe for concurrent use; a Tx belongs to the one goroutine that
// runs its function.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Options say where a store is and how it behaves.
type Options struct {
	// Dir is the data folder. It is made when absent. It holds the SQLite database,
	// unless URL says otherwise, and the sealing key, unless KeyFile says otherwise.
	Dir string

	// URL is "" for SQLite in Dir, or a PostgreSQL connection string
	// ("postgres://user@host/database").
	URL string

	// KeyFile is the file with the sealing keys; "" means sealing.key in Dir. All
	// nodes of a cluster need the same keys.
	KeyFile string

	// Logger receives what happens in the background. Nil discards it.
	Logger *slog.Logger

	// Clock tells the time of creation of documents. Nil means time.Now.
	Clock func() time.Time

	// PollInterval is how often Watch asks a PostgreSQL server for changes whose
	// notification was lost; 0 means 500 ms. SQLite never polls, since one process
	// makes all changes.
	PollInterval time.Duration

	// KeepRevisions is how many revisions Run leaves in the change log; 0 means 100,000.
	KeepRevisions int64
}

// A Store is an open store. Close releases it.
type Store struct {
	db    backend
	log   *slog.Logger
	clock func() time.Time
	poll  time.Duration // 0: changes are always announced
	keep  int64

	dir     string // of Options; "" is allowed with a key file elsewhere
	keys    keyring
	commits *wakeup // broadcast after each commit that changed a document

	stop       context.CancelFunc // ends background work
	background sync.WaitGroup
	closing    sync.Once
}

// A backend is one kind of database behind a store.
type backend interface {
	// begin borrows a session and begins a transaction on it.
	begin(ctx context.Context, m mode) (*session, error)
	// end takes back a session whose transaction was ended.
	end(*session)
	// announce makes other nodes look at the change log once the transaction commits.
	announce(context.Context, *session) error
	// listen calls changed whenever another node announced a commit, until ctx ends.
	listen(ctx context.Context, log *slog.Logger, changed func())
	// resumeSerial makes numbering continue after the greatest number in the column.
	resumeSerial(ctx context.Context, ses *session, table, column string) error
	// analyze tells the query planner what the tables hold now.
	analyze(context.Context) error
	// retriable reports whether the whole transaction may succeed if tried again.
	retriable(error) bool
	// explain adds to an error what its reader needs to mend the cause.
	explain(error) error
	// check looks for damage and reports it.
	check(context.Context) error
	// shrink gives back space that deleted rows left, where that is ours to do.
	shrink(context.Context) error
	close() error
}

// A mode says what a transaction may do and whom it excludes.
type mode int

const (
	modeView   mode = iota // reads one snapshot
	modeUpdate             // excludes every other update of the cluster
	modeAppend             // writes what nothing refers to yet; excludes nobody needlessly
)

// Open opens the store, creates or upgrades its schema, and checks that the
// sealing key fits. A new store gets its keys. When Open fails nothing of value was
// changed. Errors a caller may match: ErrInUse, ErrCorrupt, ErrNewer,
// ErrSealingKey.
func Open(ctx context.Context, opts Options) (_ *Store, err error) {
	s := &Store{
		dir:     opts.Dir,
		log:     opts.Logger,
		clock:   opts.Clock,
		keep:    opts.KeepRevisions,
		commits: newWakeup(),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.keep == 0 {
		s.keep = 100_000
	}
	if s.keys.file.path = opts.KeyFile; s.keys.file.path == "" {
		if opts.Dir == "" {
			return nil, errors.New("store: neither a data folder nor a sealing key file is given")
		}
		s.keys.file.path = filepath.Join(opts.Dir, SealingKeyFile)
	}
	switch {
	case opts.URL == "":
		s.db, err = openSQLite(ctx, opts.Dir)
	case strings.HasPrefix(opts.URL, "postgres://"), strings.HasPrefix(opts.URL, "postgresql://"):
		s.db, err = openPostgres(ctx, opts.URL)
		if s.poll = opts.PollInterval; s.poll == 0 {
			s.poll = 500 * time.Millisecond
		}
	default:
		return nil, fmt.Errorf("store: URL %q: want postgres://… or nothing for SQLite in the data folder", schemeOf(opts.URL))
	}
	if err != nil {
		return nil, err
	}
	if err := s.openKeyring(ctx); err != nil {
		s.db.close()
		return nil, err
	}
	listening, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.background.Go(func() { s.db.listen(listening, s.log, s.commits.broadcast) })
	return s, nil
}

// schemeOf keeps passwords in a mistaken URL out of the error.
func schemeOf(url string) string {
	scheme, _, found := strings.Cut(url, ":")
	if !found {
		return "…"
	}
	return scheme + ":…"
}

// Close ends background work and every Watch, and releases the data folder. It
// waits for transactions in progress. Closing again does nothing.
func (s *Store) Close() (err error) {
	s.closing.Do(func() {
		s.stop()
		s.background.Wait()
		s.commits.close()
		err = s.db.close()
	})
	return err
}

// Check looks for damage in the database: it reads all of it, so it takes time
// in proportion to its size.
func (s *Store) Check(ctx context.Context) error { return s.db.check(ctx) }

// Run does what must be done from time to time, until ctx ends: it drops old
// entries of the change log, removes blobs that nobody uses, and gives back their
// space. One call per store.
func (s *Store) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := s.Maintain(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("store maintenance failed; it is tried again in a minute", "error", err)
		}
	}
}

// Maintain does once what Run does every minute.
func (s *Store) Maintain(ctx context.Context) error {
	return errors.Join(s.compact(ctx), s.sweep(ctx), s.db.shrink(ctx))
}

// A wakeup lets any number of goroutines wait for the next event.
type wakeup struct {
	mu     sync.Mutex
	next   chan struct{} // closed by the next event
	closed bool
}

func newWakeup() *wakeup { return &wakeup{next: make(chan struct{})} }

// wait returns a channel that the next event closes. Take it before looking for
// work, so that nothing falls between.
func (w *wakeup) wait() (next <-chan struct{}, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.next, w.closed
}

func (w *wakeup) broadcast() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		close(w.next)
		w.next = make(chan struct{})
	}
}

// close wakes everyone for the last time.
func (w *wakeup) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.closed = true
		close(w.next)
	}
}
