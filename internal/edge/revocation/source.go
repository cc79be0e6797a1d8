package revocation

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"gatehouse/internal/trust"
	"gatehouse/internal/trust/crl"
)

type kind uint8

const (
	crlKind kind = iota
	listKind
)

// A sourceKey tells sources apart. An S3 place is read with the rights of one domain,
// so it is a source per domain; an HTTP place is one for all.
type sourceKey struct {
	kind    kind
	place   string
	arn     string // of S3 places
	foreign bool   // the place was taken from a certificate
}

// A source is an object that is followed. Its fields are guarded by Manager.mu but for key
// and first.
type source struct {
	key   sourceKey
	users map[string]time.Duration // domains and the interval each wants
	first chan struct{}            // closed after the first attempt

	due     time.Time
	running bool
	again   bool // due anew while running

	lists    []*crl.List  // of crlKind: what was read last
	entries  *trust.Lists // of listKind
	etag     string
	read     time.Time // when the data was last known to be current; zero without data
	fromDisk bool      // the data was not confirmed since start
	failures int
	err      error // of the last attempt
}

func newSource(k sourceKey, now time.Time) *source {
	return &source{key: k, users: map[string]time.Duration{}, first: make(chan struct{}), due: now}
}

// waitFirst waits for the first attempt and reports whether ctx allowed that.
func (s *source) waitFirst(ctx context.Context) bool {
	select {
	case <-s.first:
		return true
	case <-ctx.Done():
		return false
	}
}

// parse reads data into a copy of what the source holds.
func (s *source) parse(data []byte) (lists []*crl.List, entries *trust.Lists, err error) {
	if len(data) == 0 {
		return nil, nil, errors.New("the object is empty")
	}
	if s.key.kind == listKind {
		entries, err = trust.ParseLists(data)
		return nil, entries, err
	}
	lists, err = crl.ParseAll(data)
	return lists, nil, err
}

// fetch tries once, takes over what is good, and plans the next attempt.
func (m *Manager) fetch(ctx context.Context, s *source) {
	m.slots <- struct{}{}
	defer func() { <-m.slots }()
	m.mu.Lock()
	etag := s.etag
	m.mu.Unlock()
	fctx, cancel := context.WithTimeout(ctx, m.opts.FetchTimeout)
	obj, err := m.read(fctx, s.key, etag)
	cancel()

	var lists []*crl.List
	var entries *trust.Lists
	same := errors.Is(err, ErrNotModified)
	if err == nil {
		lists, entries, err = s.parse(obj.Data)
	}
	m.mu.Lock()
	switch {
	case same:
		s.err, s.failures, s.fromDisk, s.read = nil, 0, false, m.opts.Now()
	case err != nil:
		s.failures++
		m.noteFailure(s, err)
	default:
		s.lists, s.entries, s.etag = lists, entries, obj.ETag
		s.err, s.failures, s.fromDisk, s.read = nil, 0, false, m.opts.Now()
		for name := range s.users {
			m.domains[name].rebuild()
		}
	}
	used := s.inUse(m)
	select {
	case <-s.first:
	default:
		close(s.first)
	}
	m.mu.Unlock()

	// The source counts as running until its copy is kept, lest an older one come last.
	if err == nil && used {
		if derr := m.saveCopy(s.key, obj); derr != nil {
			m.opts.Logger.Warn("keeping a copy of revocation data failed", "place", s.key.place, "error", derr)
		}
	}
	m.mu.Lock()
	s.running = false
	s.due = m.opts.Now().Add(s.delay(m.opts.Now(), obj.Fresh))
	if s.again {
		s.due = m.opts.Now()
	}
	m.mu.Unlock()
	m.poke()
}

// noteFailure reports a failed attempt once per kind of failure, not per attempt.
func (m *Manager) noteFailure(s *source, err error) {
	if s.err == nil || s.err.Error() != err.Error() {
		m.opts.Logger.Warn("reading revocation data failed; the last good copy stays", "place", s.key.place, "error", err, "copy from", s.read)
	}
	s.err = err
}

// inUse reports whether some domain uses what the source read last: only that is worth
// a place on disk. A CRL that nobody's trust store signed is not.
func (s *source) inUse(m *Manager) bool {
	for name := range s.users {
		if d := m.domains[name]; d != nil && d.good[s].current {
			return true
		}
	}
	return false
}

// Bounds of the time between two attempts.
const (
	httpPeriod   = 5 * time.Minute // not more often, while the copy at hand is fresh
	objectPeriod = time.Minute
	firstRetry   = 5 * time.Second
	maxRetry     = 15 * time.Minute
)

// delay returns how long to wait for the next attempt: after success by the interval, the
// object's freshness and the end of its lists; after failure with exponential back-off.
func (s *source) delay(now time.Time, fresh time.Duration) time.Duration {
	interval := time.Hour
	for _, want := range s.users {
		if want > 0 {
			interval = min(interval, want)
		}
	}
	if s.failures > 0 {
		return jitter(min(firstRetry<<min(s.failures-1, 10), maxRetry, interval))
	}
	if fresh > 0 {
		interval = min(interval, fresh)
	}
	floor := httpPeriod
	if s.key.arn != "" {
		floor = objectPeriod
	}
	for _, l := range s.lists {
		if l.NextUpdate.IsZero() {
			continue
		}
		// A tenth of its life before its end: then two attempts may fail before it matters.
		early := l.NextUpdate.Add(-l.NextUpdate.Sub(l.ThisUpdate) / 10)
		interval = min(interval, early.Sub(now))
		if !now.Before(early) {
			floor = objectPeriod
		}
	}
	return jitter(max(interval, floor))
}

// String names the source in problems.
func (k sourceKey) String() string { return k.place }

// file names the copy on disk.
func (k sourceKey) file() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %q %q %t", k.kind, k.place, k.arn, k.foreign))
	return fmt.Sprintf("%x.copy", sum[:16])
}
