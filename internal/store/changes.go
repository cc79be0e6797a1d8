package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// A Change says that a document was written or deleted. What it says now is for
// the reader to look up; several changes may have happened since.
type Change struct {
	Revision int64
	Key      Key
	Deleted  bool
}

// A Commit is what one transaction changed, each document once.
type Commit struct {
	Revision int64
	Changes  []Change // in the order in which they were made; never empty
}

// Watch yields every commit after the revision, in order and without gaps, and
// waits for more until ctx ends or the store is closed. It stops after yielding
// an error, which matches ErrRelist: the log does not reach back so far. While
// the database is away it goes on trying.
func (s *Store) Watch(ctx context.Context, after int64) iter.Seq2[Commit, error] {
	return func(yield func(Commit, error) bool) {
		away := false
		for {
			next, closed := s.commits.wait()
			if closed || ctx.Err() != nil {
				return
			}
			commits, err := s.commitsAfter(ctx, after)
			switch {
			case errors.Is(err, ErrRelist):
				yield(Commit{}, err)
				return
			case err != nil && ctx.Err() != nil:
				return
			case err != nil && !away:
				s.log.Warn("change log cannot be read; trying on", "after", after, "error", err)
			case err == nil && away:
				s.log.Info("change log can be read again", "after", after)
			}
			away = err != nil
			for _, c := range commits {
				if !yield(c, nil) {
					return
				}
				after = c.Revision
			}
			if len(commits) == 0 && !s.idle(ctx, next, away) {
				return
			}
		}
	}
}

// idle waits for the next commit, and no longer than the poll interval where
// announcements can be lost. It reports whether to go on.
func (s *Store) idle(ctx context.Context, next <-chan struct{}, away bool) bool {
	wait := s.poll
	if away && wait == 0 {
		wait = time.Second
	}
	var poll <-chan time.Time
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		poll = t.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-next:
	case <-poll:
	}
	return true
}

// commitsAfter reads what follows a revision, some thousand changes at most but
// whole commits.
func (s *Store) commitsAfter(ctx context.Context, after int64) (commits []Commit, err error) {
	const limit = 4096
	err = s.View(ctx, func(tx *Tx) error {
		if after == tx.revision {
			return nil
		}
		changes, err := tx.readChanges(`revision > $1 ORDER BY revision, n LIMIT $2`, after, limit)
		if err != nil {
			return err
		}
		// Revisions have no gaps, so the log continues from after or was cut.
		if len(changes) == 0 || changes[0].Revision != after+1 {
			return fmt.Errorf("store: changes after revision %d (now at %d): %w", after, tx.revision, ErrRelist)
		}
		commits = group(changes)
		if len(changes) == limit { // the last commit may have been cut
			last := &commits[len(commits)-1]
			last.Changes, err = tx.readChanges(`revision = $1 ORDER BY n`, last.Revision)
		}
		return err
	})
	return commits, err
}

func (tx *Tx) readChanges(where string, args ...any) (changes []Change, err error) {
	err = tx.query(func(scan func(...any) error) error {
		var c Change
		var deleted int
		err := scan(&c.Revision, &c.Key.Kind, &c.Key.Account, &c.Key.Region, &c.Key.Parent, &c.Key.ID, &deleted)
		c.Deleted = deleted == 1
		changes = append(changes, c)
		return err
	}, `SELECT revision, kind, account, region, parent, id, deleted FROM changes WHERE `+where, args...)
	return changes, err
}

// group cuts a list of changes into commits.
func group(changes []Change) (commits []Commit) {
	for _, c := range changes {
		if n := len(commits); n > 0 && commits[n-1].Revision == c.Revision {
			commits[n-1].Changes = append(commits[n-1].Changes, c)
			continue
		}
		commits = append(commits, Commit{Revision: c.Revision, Changes: []Change{c}})
	}
	return commits
}

// compact drops all but the newest revisions from the change log.
func (s *Store) compact(ctx context.Context) error {
	return s.attempt(ctx, modeUpdate, func(tx *Tx) error {
		_, err := tx.exec(`DELETE FROM changes WHERE revision <= $1`, tx.revision-s.keep)
		return err
	}, nil)
}
