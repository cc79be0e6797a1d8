package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// A Tx is a transaction in progress. It is valid until the function that received
// it returns, and belongs to that function's goroutine. After one of its methods
// fails with an error other than those in errors.go, the transaction cannot
// commit: return the error.
type Tx struct {
	store    *Store
	ctx      context.Context // of the View or Update; a Tx does not outlive it
	ses      *session
	writes   bool
	now      time.Time
	revision int64 // of the last commit before this transaction

	changes []Change // in the order in which documents were first touched
	changed map[Key]int
}

// View runs fn on one snapshot of the store: commits made meanwhile are not seen.
// It blocks no writer and waits for none. An open View keeps SQLite from
// shrinking its log, so it should not wait for anything slow. fn runs once at most.
func (s *Store) View(ctx context.Context, fn func(*Tx) error) error {
	began := false
	return s.again(ctx, func() error {
		err := s.attempt(ctx, modeView, func(tx *Tx) error { began = true; return fn(tx) }, nil)
		if began && err != nil {
			return &finalError{err}
		}
		return err
	})
}

// Update runs fn as the only writer and commits what it wrote if it returns nil.
// It returns the revision of the commit, or zero when fn changed no document.
// fn may run several times, when the database asks for another try, so it must
// have no effect besides those on the Tx. What fn returns comes back unchanged.
func (s *Store) Update(ctx context.Context, fn func(*Tx) error) (revision int64, err error) {
	err = s.again(ctx, func() error { return s.attempt(ctx, modeUpdate, fn, &revision) })
	if err != nil {
		return 0, err
	}
	if revision != 0 {
		s.commits.broadcast()
	}
	return revision, nil
}

// again runs a transaction until the database does not ask for another try.
func (s *Store) again(ctx context.Context, try func() error) error {
	const attempts = 8
	for n := 1; ; n++ {
		err := try()
		if final, ok := err.(*finalError); ok {
			return final.err
		}
		if err == nil || n == attempts || !s.db.retriable(err) || ctx.Err() != nil {
			return err
		}
		s.log.Debug("store transaction is tried again", "attempt", n, "error", err)
		pause(ctx, n)
	}
}

// attempt runs one transaction. It stores the revision it made, if any, in made.
func (s *Store) attempt(ctx context.Context, m mode, fn func(*Tx) error, made *int64) (err error) {
	ses, err := s.db.begin(ctx, m)
	if err != nil {
		return s.db.explain(err)
	}
	done := false
	defer func() {
		if !done { // an error, or fn panics
			ses.broken = ses.control(ctx, "ROLLBACK") != nil
		}
		s.db.end(ses)
	}()
	tx := &Tx{store: s, ctx: ctx, ses: ses, writes: m != modeView, now: s.clock().UTC()}
	if err := tx.one([]any{&tx.revision}, `SELECT value FROM revision`); err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return err
	}
	revision, err := tx.logChanges()
	if err != nil {
		return err
	}
	if err := ses.control(ctx, "COMMIT"); err != nil {
		return &commitError{s.db.explain(err)}
	}
	done = true
	if made != nil {
		*made = revision
	}
	return nil
}

// A finalError is not for trying again.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }

// A commitError is a failure to commit. When the connection broke, nobody knows
// whether the transaction was committed.
type commitError struct{ err error }

func (e *commitError) Error() string { return "store: commit: " + e.err.Error() }
func (e *commitError) Unwrap() error { return e.err }

// pause waits before another attempt, longer each time, and not in step with others.
func pause(ctx context.Context, attempt int) {
	limit := 5 * time.Millisecond << min(attempt, 6)
	t := time.NewTimer(rand.N(limit))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// Revision returns the revision that the transaction sees: the last commit before
// it began. To follow the store, list everything in one View and Watch from its
// revision.
func (tx *Tx) Revision() int64 { return tx.revision }

// Now returns the time of the transaction by the store's clock, in UTC.
func (tx *Tx) Now() time.Time { return tx.now }

// next returns the revision that the commit of this transaction will have.
func (tx *Tx) next() int64 { return tx.revision + 1 }

// touch notes for the change log that the document was written or deleted. A
// document appears once per commit, with what became of it in the end.
func (tx *Tx) touch(k Key, deleted bool) {
	if i, ok := tx.changed[k]; ok {
		tx.changes[i].Deleted = deleted
		return
	}
	if tx.changed == nil {
		tx.changed = make(map[Key]int)
	}
	tx.changed[k] = len(tx.changes)
	tx.changes = append(tx.changes, Change{Revision: tx.next(), Key: k, Deleted: deleted})
}

var changeColumns = []string{"revision", "n", "kind", "account", "region", "parent", "id", "deleted"}

// logChanges appends the change log; it returns the new revision, or zero when
// nothing changed.
func (tx *Tx) logChanges() (int64, error) {
	if len(tx.changes) == 0 {
		return 0, nil
	}
	if _, err := tx.exec(`UPDATE revision SET value = $1`, tx.next()); err != nil {
		return 0, err
	}
	rows := make([][]any, len(tx.changes))
	for n, c := range tx.changes {
		deleted := 0
		if c.Deleted {
			deleted = 1
		}
		rows[n] = []any{c.Revision, n, c.Key.Kind, c.Key.Account, c.Key.Region, c.Key.Parent, c.Key.ID, deleted}
	}
	if err := tx.insertAll("changes", changeColumns, rows); err != nil {
		return 0, err
	}
	if err := tx.store.db.announce(tx.ctx, tx.ses); err != nil {
		return 0, fmt.Errorf("store: announce: %w", err)
	}
	return tx.next(), nil
}

// exec, query and one run a statement of this transaction.

func (tx *Tx) exec(query string, args ...any) (int64, error) {
	if !tx.writes {
		return 0, fmt.Errorf("store: %w", ErrReadOnly)
	}
	n, err := tx.ses.exec(tx.ctx, query, args...)
	return n, tx.wrap(err)
}

func (tx *Tx) query(row func(scan func(...any) error) error, query string, args ...any) error {
	return tx.wrap(tx.ses.query(tx.ctx, row, query, args...))
}

func (tx *Tx) one(dest []any, query string, args ...any) error {
	return tx.wrap(tx.ses.one(tx.ctx, dest, query, args...))
}

func (tx *Tx) wrap(err error) error {
	if err == nil {
		return nil
	}
	if ended := tx.ctx.Err(); ended != nil && !errors.Is(err, ended) {
		return fmt.Errorf("store: %w: %w", ended, err) // drivers report a broken connection
	}
	return fmt.Errorf("store: %w", tx.store.db.explain(err))
}
